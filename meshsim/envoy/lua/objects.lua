-- The objects that a script holds, and how its mistakes are told.
--
-- Rules of Envoy 1.40. An object lives until the script waits or ends; asked for again in that time, it is the same one.
-- A mistake in an argument is told as LuaJIT tells it for functions of C. A function that has nothing to give returns
-- no value at all, which is not the same as nil.

local host, sandbox = ...
local newproxy, getinfo, next = sandbox.newproxy, sandbox.getinfo, sandbox.next
local error, type, tonumber, select, setmetatable, getmetatable =
  error, type, tonumber, select, setmetatable, getmetatable
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
local classes, methods = {}, {}

local function class(name, symbol)
  local template = newproxy(true)
  local metatable = getmetatable(template)
  metatable.__index = metatable
  metatable.__gc = nil
  classes[name], methods[name] = { template = template, symbol = symbol }, metatable
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

class("handle", symbol(FILTER, "StreamHandleWrapper"))
class("headers", symbol(FILTER, "HeaderMapWrapper"))
class("body", symbol(COMMON, "BufferWrapper"))
class("metadata", symbol(COMMON, "MetadataMapWrapper"))
class("connection", symbol(COMMON, "ConnectionWrapper"))
class("stream_info", symbol(FILTER, "StreamInfoWrapper"))
class("dynamic", symbol(FILTER, "DynamicMetadataMapWrapper"))
class("owner", symbol(FILTER, "RouteWrapper"))
class("stats", symbol(FILTER, "StatsScopeWrapper"))
class("counter", symbol(FILTER, "CounterWrapper"))
class("gauge", symbol(FILTER, "GaugeWrapper"))
class("histogram", symbol(FILTER, "HistogramWrapper"))

for _, metatable in next, methods do
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

return {
  where = where, fail = fail, bad_argument = bad_argument, wrong = wrong, text = text, whole = whole,
  make = make, self_ = self_, part = part, classes = methods,
}
