-- What Envoy gives to a script: a handle for each direction of a stream, and the objects that it leads to.
--
-- Rules of Envoy 1.40. An object lives until the script waits or ends; asked for again in that time, it is the same one.
-- A mistake in an argument is told as LuaJIT tells it for functions of C. A function that has nothing to give returns
-- no value at all, which is not the same as nil.

local host, sandbox = ...
local newproxy, getinfo, create = sandbox.newproxy, sandbox.getinfo, sandbox.create
local yield, step, next = sandbox.yield, sandbox.step, sandbox.next
local error, type, tonumber, tostring, select, pairs, setmetatable, getmetatable, rawget =
  error, type, tonumber, tostring, select, pairs, setmetatable, getmetatable, rawget
local format, floor, ceil = string.format, math.floor, math.ceil

-- ---- mistakes

local function where(level)
  local info = getinfo(level + 1, "Sl")
  return info and info.currentline > 0 and format("%s:%d: ", info.short_src, info.currentline) or ""
end

-- Called by a method, never as its last act: the levels count.
local function fail(problem)
  error(where(3) .. problem, 0)
end

local function bad_argument(level, number, problem)
  local info = getinfo(level + 1, "n")
  local name = info and info.name or "?"
  if info and info.namewhat == "method" then
    number = number - 1
  end
  local text = number == 0 and format("calling '%s' on bad self (%s)", name, problem)
    or format("bad argument #%d to '%s' (%s)", number, name, problem)
  error(where(level + 2) .. text, 0)
end

local function kind_of(value, count, number)
  return count < number and "no value" or type(value)
end

local function wrong(level, wanted, value, count, number)
  bad_argument(level + 1, number, format("%s expected, got %s", wanted, kind_of(value, count, number)))
end

local function text(value, count, number)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return "" .. value
  end
  wrong(2, "string", value, count, number)
end

local function whole(value, count, number)
  local found = type(value) == "number" and value or type(value) == "string" and tonumber(value)
  if not found then
    wrong(2, "number", value, count, number)
  end
  return found < 0 and ceil(found) or floor(found)
end

-- ---- objects

local records = setmetatable({}, { __mode = "k" })
local classes = {}

local function class(name, symbol)
  local template = newproxy(true)
  local metatable = getmetatable(template)
  metatable.__index = metatable
  metatable.__gc = nil
  classes[name] = { template = template, symbol = symbol }
  return metatable
end

local function make(name, run, extra)
  local object = newproxy(classes[name].template)
  records[object] = { class = name, run = run, scope = name == "handle" and run or run.scope, extra = extra }
  return object
end

-- The record of a method's own object.
local function self_(object, name)
  local record = object ~= nil and records[object]
  if not record or record.class ~= name then
    wrong(2, classes[name].symbol, object, object == nil and 0 or 1, 1)
  end
  if not record.scope.live then
    error(where(3) .. "object used outside of proper scope", 0)
  end
  return record
end

-- An object that a handle leads to: made when it is first asked for.
local function part(run, name, extra, key)
  local scope = run.scope
  key = key or name
  if not scope[key] then
    scope[key] = make(name, run, extra)
  end
  return scope[key]
end

local function symbol(space, name)
  return format("N5Envoy10Extensions%s3Lua%d%sE", space, #name, name)
end
local FILTER, COMMON = "11HttpFilters", "7Filters6Common"

local handle = class("handle", symbol(FILTER, "StreamHandleWrapper"))
local headers = class("headers", symbol(FILTER, "HeaderMapWrapper"))
local body = class("body", symbol(COMMON, "BufferWrapper"))
local metadata = class("metadata", symbol(COMMON, "MetadataMapWrapper"))
local connection = class("connection", symbol(COMMON, "ConnectionWrapper"))
local stream_info = class("stream_info", symbol(FILTER, "StreamInfoWrapper"))
local dynamic = class("dynamic", symbol(FILTER, "DynamicMetadataMapWrapper"))
local owner = class("owner", symbol(FILTER, "RouteWrapper"))
local stats = class("stats", symbol(FILTER, "StatsScopeWrapper"))
local counter = class("counter", symbol(FILTER, "CounterWrapper"))
local gauge = class("gauge", symbol(FILTER, "GaugeWrapper"))
local histogram = class("histogram", symbol(FILTER, "HistogramWrapper"))

for _, metatable in next, { handle, headers, body, metadata, connection, stream_info, dynamic, owner, stats, counter, gauge, histogram } do
  for name, level in next, {
    logTrace = "trace", logDebug = "debug", logInfo = "info", logWarn = "warning", logErr = "error", logCritical = "critical",
  } do
    metatable[name] = function(object, ...)
      local record = records[object]
      if record and not record.scope.live then
        fail("object used outside of proper scope")
      end
      host.log(level, text(..., select("#", ...) + 1, 2))
    end
  end
end

-- ---- header maps

local function changeable(record)
  if record.iterating then
    error(where(3) .. "header map cannot be modified while iterating", 0)
  end
  if not host.may_change(record.run.id, record.extra) then
    error(where(3) .. "header map can no longer be modified", 0)
  end
end

function headers.get(object, ...)
  local record, count = self_(object, "headers"), select("#", ...) + 1
  local found = host.get(record.run.id, record.extra, text(..., count, 2))
  if found then
    return found
  end
end

function headers.getAtIndex(object, ...)
  local record, count = self_(object, "headers"), select("#", ...) + 1
  local key, index = ...
  local name = text(key, count, 2)
  local found = host.get_at(record.run.id, record.extra, name, whole(index, count, 3))
  if found then
    return found
  end
end

function headers.getNumValues(object, ...)
  local record = self_(object, "headers")
  return (host.count(record.run.id, record.extra, text(..., select("#", ...) + 1, 2)))
end

function headers.add(object, ...)
  local record, count = self_(object, "headers"), select("#", ...) + 1
  changeable(record)
  local key, value = ...
  local name = text(key, count, 2)
  host.add(record.run.id, record.extra, name, text(value, count, 3))
end

function headers.replace(object, ...)
  local record, count = self_(object, "headers"), select("#", ...) + 1
  changeable(record)
  local key, value = ...
  local name = text(key, count, 2)
  host.replace(record.run.id, record.extra, name, text(value, count, 3))
end

function headers.remove(object, ...)
  local record = self_(object, "headers")
  changeable(record)
  host.remove(record.run.id, record.extra, text(..., select("#", ...) + 1, 2))
end

-- The words behind the status are shown nowhere.
function headers.setHttp1ReasonPhrase(object, ...)
  local record = self_(object, "headers")
  changeable(record)
  text(..., select("#", ...) + 1, 2)
end

function headers.__pairs(object)
  local record = self_(object, "headers")
  if record.iterating then
    fail("cannot create a second iterator before completing the first")
  end
  record.iterating = true
  local entries, at = host.entries(record.run.id, record.extra), -1
  return function()
    if not record.scope.live then
      fail("object used outside of proper scope")
    end
    at = at + 2
    if entries[at] == nil then
      record.iterating = nil
      return nil
    end
    return entries[at], entries[at + 1]
  end
end

-- ---- bodies

function body.length(object)
  local record = self_(object, "body")
  return (host.length(record.run.id, record.extra))
end

function body.getBytes(object, ...)
  local record, count = self_(object, "body"), select("#", ...) + 1
  local start, length = ...
  local from = whole(start, count, 2)
  local size = whole(length, count, 3)
  local found = host.body_bytes(record.run.id, record.extra, from, size)
  if not found then
    fail("index/length must be >= 0 and (index + length) must be <= buffer size")
  end
  return found
end

function body.setBytes(object, ...)
  local record = self_(object, "body")
  return (host.set_bytes(record.run.id, record.extra, text(..., select("#", ...) + 1, 2)))
end

-- ---- metadata

local function value_of(found)
  -- What the host writes of a value: a kind, and what belongs to it.
  local kind, content = found[1], found[2]
  if kind == "map" then
    local map = {}
    for i = 1, #content, 2 do
      map[content[i]] = value_of(content[i + 1])
    end
    return map
  elseif kind == "list" then
    local list = {}
    for i = 1, #content do
      list[i] = value_of(content[i])
    end
    return list
  elseif kind == "nil" then
    return nil
  end
  return content
end

function metadata.get(object, ...)
  local record = self_(object, "metadata")
  local found = host.metadata(record.run.id, record.extra, text(..., select("#", ...) + 1, 2))
  if found then
    return value_of(found)
  end
end

local function iterator(keys, value)
  local at = 0
  return function()
    at = at + 1
    if keys[at] ~= nil then
      return keys[at], value(keys[at])
    end
  end
end

function metadata.__pairs(object)
  local record = self_(object, "metadata")
  return iterator(host.metadata_keys(record.run.id, record.extra), function(key)
    return value_of(host.metadata(record.run.id, record.extra, key))
  end)
end

local function written(value, level)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
    return { kind, value }
  elseif kind ~= "table" then
    error(where(level + 1) .. format("unexpected type '%s' in dynamicMetadata", kind), 0)
  end
  local content, count = {}, #value
  if count > 0 then
    for key in next, value do
      if type(key) ~= "number" then
        error(where(level + 1) .. "unexpected type number in table key (only string keys are supported)", 0)
      end
    end
    for i = 1, count do
      content[i] = written(value[i], level + 1)
    end
    return { "list", content }
  end
  for key, inner in pairs(value) do
    if type(key) ~= "string" then
      error(where(level + 1) .. format("unexpected type %s in table key (only string keys are supported)", type(key)), 0)
    end
    content[#content + 1] = key
    content[#content + 1] = written(inner, level + 1)
  end
  return { "map", content }
end

function dynamic.get(object, ...)
  local record = self_(object, "dynamic")
  local found = host.dynamic(record.run.id, text(..., select("#", ...) + 1, 2))
  if found then
    return value_of(found)
  end
end

function dynamic.set(object, ...)
  local record, count = self_(object, "dynamic"), select("#", ...) + 1
  local filter, key, value = ...
  local name = text(filter, count, 2)
  host.set_dynamic(record.run.id, name, text(key, count, 3), written(value, 2))
end

function dynamic.__pairs(object)
  local record = self_(object, "dynamic")
  return iterator(host.dynamic_keys(record.run.id), function(key)
    return value_of(host.dynamic(record.run.id, key))
  end)
end

-- ---- the stream

function stream_info.protocol(object)
  return (host.fact(self_(object, "stream_info").run.id, "protocol"))
end

for method, fact in next, {
  routeName = "route", requestedServerName = "server_name", virtualClusterName = "virtual_cluster",
  downstreamLocalAddress = "local_address", downstreamDirectLocalAddress = "local_address",
  downstreamRemoteAddress = "remote_address", downstreamDirectRemoteAddress = "peer_address",
} do
  stream_info[method] = function(object)
    return (host.fact(self_(object, "stream_info").run.id, fact))
  end
end

function stream_info.dynamicMetadata(object)
  return part(self_(object, "stream_info").run, "dynamic")
end

function stream_info.downstreamSslConnection(object)
  self_(object, "stream_info")
end

for _, method in next, { "filterState", "dynamicTypedMetadata", "drainConnectionUponCompletion" } do
  stream_info[method] = function(object)
    self_(object, "stream_info")
    host.not_modelled(method)
  end
end

function connection.ssl(object)
  self_(object, "connection")
end

function owner.metadata(object)
  local record = self_(object, "owner")
  return part(record.run, "metadata", record.extra, "metadata of " .. record.extra)
end

-- ---- statistics

for method, metatable in next, { counter = counter, gauge = gauge, histogram = histogram } do
  stats[method] = function(object, ...)
    local record, count = self_(object, "stats"), select("#", ...) + 1
    local name, unit = ...
    name = text(name, count, 2)
    if method == "histogram" and unit ~= nil and not host.is_unit(text(unit, count, 3)) then
      fail(format("invalid histogram unit '%s', expected 'ms', 'milliseconds', 'microseconds', 'nanoseconds', 'bytes', "
        .. "or 'unspecified'", unit))
    end
    return (make(method, record.run, name))
  end
end

function counter.inc(object)
  local record = self_(object, "counter")
  host.change_stat(record.run.id, record.extra, 1)
end

function counter.add(object, ...)
  local record = self_(object, "counter")
  local amount = whole(..., select("#", ...) + 1, 2)
  if amount < 0 then
    fail("counter add amount must be non-negative")
  end
  host.change_stat(record.run.id, record.extra, amount)
end

function counter.value(object)
  local record = self_(object, "counter")
  return (host.stat(record.run.id, record.extra))
end
gauge.inc = function(object)
  local record = self_(object, "gauge")
  host.change_stat(record.run.id, record.extra, 1)
end
gauge.dec = function(object)
  local record = self_(object, "gauge")
  host.change_stat(record.run.id, record.extra, -1)
end
gauge.add = function(object, ...)
  local record = self_(object, "gauge")
  host.change_stat(record.run.id, record.extra, whole(..., select("#", ...) + 1, 2))
end
gauge.sub = function(object, ...)
  local record = self_(object, "gauge")
  host.change_stat(record.run.id, record.extra, -whole(..., select("#", ...) + 1, 2))
end
gauge.set = function(object, ...)
  local record = self_(object, "gauge")
  host.set_stat(record.run.id, record.extra, whole(..., select("#", ...) + 1, 2))
end
gauge.value = function(object)
  local record = self_(object, "gauge")
  return (host.stat(record.run.id, record.extra))
end

function histogram.recordValue(object, ...)
  self_(object, "histogram")
  whole(..., select("#", ...) + 1, 2)
end

-- ---- the handle

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
    return sandbox.answer(run)
  end
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
sandbox.answer = answer

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

-- ---- runs: one function of the script on one stream

local runs = {}

local function go(run, ...)
  run.live, run.scope.live = true, true
  local outcome, problem = step(run.thread, ...)
  run.live, run.scope.live = false, false
  run.scope = { live = false }
  return outcome, problem
end

local driver = {}

function driver.has(name)
  return type(rawget(_G, name)) == "function"
end

function driver.start(id, name)
  local run = { id = id, scope = {}, thread = create(rawget(_G, name)) }
  runs[id] = run
  return go(run, make("handle", run))
end

function driver.resume(id, with)
  local run = runs[id]
  if with == "body" or with == "chunk" then
    return go(run, part(run, "body", with, with))
  elseif with == "trailers" then
    return go(run, part(run, "headers", "trailers", "trailers"))
  elseif with == "answer" then
    return go(run, answer(run))
  end
  return go(run)
end

function driver.forget(id)
  runs[id] = nil
end

return driver
