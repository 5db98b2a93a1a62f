-- wrk sends what request() returns in one piece and counts the requests in it,
-- so one string of 16 requests is 16 pipelined requests on each connection.

local depth = 16

function init(args)
   batch = string.rep(wrk.format("GET", "/plaintext"), depth)
end

function request()
   return batch
end
