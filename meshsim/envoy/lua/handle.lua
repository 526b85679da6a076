-- The handle of one direction of a stream: what leads to all other objects, and what answers, asks and waits.

local host, sandbox, objects = ...
local yield, next = sandbox.yield, sandbox.next
local error, type, tonumber, tostring, select, pairs = error, type, tonumber, tostring, select, pairs
local format, floor, ceil = string.format, math.floor, math.ceil
local where, fail, bad_argument, wrong = objects.where, objects.fail, objects.bad_argument, objects.wrong
local text, whole, self_, part = objects.text, objects.whole, objects.self_, objects.part
local handle = objects.classes.handle

function handle.headers(object)
  return part(self_(object, "handle").run, "headers", "headers")
end

function handle.requestHeaders(object)
  local run = self_(object, "handle").run
  return part(run, "headers", "request headers", "request headers")
end

function handle.body(object, ...)
  local run, always = self_(object, "handle").run, ...
  local count = select("#", ...) + 1
  if count > 1 and always ~= nil and type(always) ~= "boolean" then
    wrong(1, "boolean", always, count, 2)
  end
  local verdict, problem = host.body(run.id, always or false)
  if verdict == "error" then
    fail(problem)
  elseif verdict == "wait" then
    return yield()
  elseif verdict == "body" then
    return part(run, "body", "body")
  end
end

function handle.bodyChunks(object)
  local run = self_(object, "handle").run
  if host.saw_body(run.id) then
    fail("cannot call bodyChunks after body processing has begun")
  end
  return function()
    if not run.live then
      fail("object used outside of proper scope")
    end
    if host.chunk(run.id) then
      return yield()
    end
  end
end

function handle.trailers(object)
  local run = self_(object, "handle").run
  local verdict = host.trailers(run.id)
  if verdict == "wait" then
    return yield()
  elseif verdict == "trailers" then
    return part(run, "headers", "trailers", "trailers")
  end
end

local function header_list(given, number)
  -- Names and values in a row; a table of values is one entry each.
  local list, count = {}, 0
  for key, value in pairs(given) do
    if type(key) ~= "string" then
      error(type(key) == "number" and "invalid key to 'next'"
        or where(3) .. format("bad argument #%d to '?' (string expected, got %s)", number + 2, type(key)), 0)
    end
    for _, one in pairs(type(value) == "table" and value or { value }) do
      if type(one) ~= "string" and type(one) ~= "number" then
        bad_argument(2, number + 3, format("string expected, got %s", type(one)))
      end
      list[count + 1], list[count + 2] = key, "" .. one
      count = count + 2
    end
  end
  return list
end

function handle.respond(object, ...)
  local run, count = self_(object, "handle").run, select("#", ...) + 1
  local verdict = host.may_respond(run.id)
  if verdict then
    fail(verdict)
  end
  local given, content = ...
  if type(given) ~= "table" then
    wrong(1, "table", given, count, 2)
  end
  if content ~= nil then
    content = text(content, count, 3)
  end
  local refused = host.respond(run.id, header_list(given, count), content)
  if refused then
    fail(refused)
  end
  return yield()
end

local OPTIONS = { asynchronous = true, timeout_ms = true, trace_sampled = true, return_duplicate_headers = true, send_xff = true }

local function options_of(given)
  local found = { timeout = 0 }
  for key, value in pairs(given) do
    if not OPTIONS[key] then
      error(where(3) .. format('"%s" is not valid key for httpCall() options', tostring(key)), 0)
    end
    if key == "timeout_ms" then
      local ms = type(value) == "number" and value or type(value) == "string" and tonumber(value)
      if not ms then
        bad_argument(2, 8, format("number expected, got %s", type(value)))
      end
      found.timeout = ms < 0 and ceil(ms) or floor(ms)
    elseif key == "asynchronous" then
      found.asynchronous = value and true or false
    elseif key == "return_duplicate_headers" then
      found.duplicates = value and true or false
    elseif key == "send_xff" then
      found.plain = value == false
    end
  end
  return found
end

local function answer(run)
  local entries, content = host.answer(run.id)
  local found = {}
  for i = 1, #entries, 2 do
    local key, value = entries[i], entries[i + 1]
    local there = found[key]
    if run.duplicates and type(there) == "table" then
      there[#there + 1] = value
    elseif run.duplicates and there ~= nil then
      found[key] = { there, value }
    else
      found[key] = value
    end
  end
  return found, content
end

function handle.httpCall(object, ...)
  local run, count = self_(object, "handle").run, select("#", ...) + 1
  local cluster, given, content, timeout, asynchronous = ...
  local options
  if type(timeout) == "table" then
    options = options_of(timeout)
  else
    if count > 5 and type(asynchronous) ~= "boolean" then
      fail("http call asynchronous flag must be 'true', 'false', or empty")
    end
    options = { timeout = whole(timeout, count, 5), asynchronous = asynchronous }
  end
  if options.timeout < 0 then
    fail("http call timeout must be >= 0")
  end
  local name = text(cluster, count, 2)
  if type(given) ~= "table" then
    wrong(1, "table", given, count, 3)
  end
  if content ~= nil then
    content = text(content, count, 4)
  end
  if not host.has_cluster(name) then
    fail("http call cluster invalid. Must be configured")
  end
  local list = header_list(given, count)
  local verdict = host.call(run.id, name, list, content, options.timeout, options.asynchronous or false, options.plain or false)
  if verdict == "incomplete" then
    fail("http call headers must include ':path', ':method', and ':authority'")
  elseif verdict == "wait" then
    run.duplicates = options.duplicates
    return yield()
  elseif verdict == "answered" then
    run.duplicates = options.duplicates
    return answer(run)
  end
end

function handle.metadata(object)
  return part(self_(object, "handle").run, "metadata", "route")
end

function handle.streamInfo(object)
  return part(self_(object, "handle").run, "stream_info")
end

function handle.connection(object)
  return part(self_(object, "handle").run, "connection")
end

function handle.route(object)
  return part(self_(object, "handle").run, "owner", "route", "route")
end

function handle.virtualHost(object)
  return part(self_(object, "handle").run, "owner", "virtual host", "virtual host")
end

function handle.filterContext(object)
  return part(self_(object, "handle").run, "metadata", "filter context", "filter context")
end

function handle.stats(object)
  return part(self_(object, "handle").run, "stats")
end

function handle.clearRouteCache(object)
  host.clear_route_cache(self_(object, "handle").run.id)
end

EnvoyTimestampResolution = { MILLISECOND = 0, MICROSECOND = 1 }

function handle.timestamp(object, resolution)
  self_(object, "handle")
  if resolution ~= nil and resolution ~= 0 then
    fail("timestamp format must be MILLISECOND.")
  end
  return (host.epoch(1000))
end

function handle.timestampString(object, resolution)
  self_(object, "handle")
  if resolution ~= nil and resolution ~= 0 and resolution ~= 1 then
    fail("timestamp format must be MILLISECOND or MICROSECOND.")
  end
  return format("%.0f", host.epoch(resolution == 1 and 1000000 or 1000))
end

function handle.base64Escape(object, ...)
  self_(object, "handle")
  return (host.base64(text(..., select("#", ...) + 1, 2)))
end

function handle.base64Decode(object, ...)
  self_(object, "handle")
  local found = host.unbase64(text(..., select("#", ...) + 1, 2))
  if found then
    return found
  end
end

for _, method in next, { "importPublicKey", "verifySignature", "setUpstreamOverrideHost", "connectionStreamInfo" } do
  handle[method] = function(object)
    self_(object, "handle")
    host.not_modelled(method)
  end
end

return answer
