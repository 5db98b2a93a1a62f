-- Adds the percentile that wrk --latency leaves out.
function done(summary, latency, requests)
   io.write(string.format("   99.9%%   %dus\n", latency:percentile(99.9)))
end
