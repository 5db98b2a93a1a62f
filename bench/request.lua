-- What wrk sends when it is not just a GET: METHOD TARGET SIZE DEPTH behind "--".
-- wrk sends what request() returns in one piece and counts the requests in it,
-- so one string of 16 requests is 16 pipelined requests on each connection.

local batch

function init(args)
   local method, target, size, depth = args[1], args[2], tonumber(args[3]), tonumber(args[4])
   local content = nil
   if size > 0 then
      content = string.rep("0123456789abcdef", size / 16)
   end
   batch = string.rep(wrk.format(method, target, wrk.headers, content), depth)
end

function request()
   return batch
end
