-- The requests that serve.py lets wrk send, and what it reports, a line of JSON that begins with "{".
--
--   wrk -t1 -c32 -d5s -s tests/bench/predict.lua http://127.0.0.1:8080/predict -- FIRST TIME
--   wrk -t1 -c32 -d5s -s tests/bench/predict.lua http://127.0.0.1:8080/predict -- FIRST FILE
--
-- Request number n, from FIRST on, is a transaction of its own, STEP seconds after that of n - 1; that of
-- 0 is at TIME, in seconds since 1970. With a FILE of bodies, one a line, they are sent in turn instead.
-- A request costs 0.7 microseconds to make. Each wrk thread has a Lua state of its own: one thread only,
-- else numbers come twice.

-- As in datasets/simulate.c there are 5000 customers, and a transaction in about 9 seconds. Customers and
-- terminals come in turn, each in a fixed shuffled order, so that no two requests that are in flight
-- together are of the same one. 9973, for 10000 terminals, is prime: the pairs change all the time.
local CUSTOMERS, TERMINALS, STEP = 5000, 9973, 10

local threads, head, first, body = {}
sent = 0 -- global: read by done

local function transactions(time)
  return function(n)
    local cents = n * 7919 % 14983
    return string.format(
      '{"id":"B%09d","time":"%s","customer":"%d","terminal":"%d","amount":%d.%02d}', n,
      os.date("!%Y-%m-%dT%H:%M:%SZ", time + STEP * n), n * 1913 % CUSTOMERS,
      n * 4789 % TERMINALS, cents * cents / 1e6, cents % 100)
  end
end

local function lines(path)
  local all = {}
  for line in io.lines(path) do all[#all + 1] = line end
  return function(n) return all[n % #all + 1] end
end

function setup(thread)
  threads[#threads + 1] = thread
  assert(#threads == 1, "one thread, -t1: numbers would come twice")
end

function init(args)
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
    "\r\nContent-Type: application/json\r\nContent-Length: "
  first = tonumber(args[1])
  body = tonumber(args[2]) and transactions(tonumber(args[2])) or lines(args[2])
end

function request()
  local text = body(first + sent)
  sent = sent + 1
  return head .. #text .. "\r\n\r\n" .. text
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"sent":%d,"answered":%d,"seconds":%.6f,"p50":%d,"p90":%d,"p99":%d,"max":%d,' ..
    '"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}',
    threads[1]:get("sent"), summary.requests, summary.duration / 1e6, latency:percentile(50),
    latency:percentile(90), latency:percentile(99), latency.max, errors.status, errors.connect,
    errors.read, errors.write, errors.timeout))
end
