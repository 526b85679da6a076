-- What a script finds in its state: the libraries of Lua without what reaches the machine or hides time from the host.
--
-- The chunk gets the host's functions and the limits. It returns a table of what the handles' methods are made of, with
-- `step`, which runs a coroutine until it waits, ends or fails, `load`, which runs a script, and `strides`,
-- which says how many times STRIDE instructions were run since it was asked last.

local host, stride, budget, seconds, soft_kilobytes = ...

-- A script may replace whatever it sees; what is used here is kept in locals.
local error, pcall, type, select, next, unpack, setmetatable, getmetatable =
  error, pcall, type, select, next, unpack, setmetatable, getmetatable
local plain_xpcall = xpcall
local plain_tostring, newproxy = tostring, newproxy
local create, resume, running, status = coroutine.create, coroutine.resume, coroutine.running, coroutine.status
local sethook, getinfo, traceback = debug.sethook, debug.getinfo, debug.traceback
local format, find, match, gmatch, gsub = string.format, string.find, string.match, string.gmatch, string.gsub
local clock, collect = os.clock, collectgarbage
local plain_load, concat = load, table.concat

-- Compiled code asks no hook, so nothing is compiled.
jit.off()

-- ---- limits: instructions, seconds of CPU, memory

local strides, before, began, spent = 0, 0, 0, nil
local hook

local function stop(why)
  -- From here on every instruction of a coroutine fails, so that no pcall of the script goes on.
  spent = spent or why
  sethook(hook, "", 1)
  if running() then
    error(spent, 0)
  end
end

function hook()
  if spent then
    stop(spent)
  end
  strides = strides + 1
  if budget and (strides - before) * stride > budget then
    stop("instructions")
  elseif seconds and clock() - began > seconds then
    stop("seconds")
  elseif collect("count") > soft_kilobytes then
    collect()
    if collect("count") > soft_kilobytes then
      stop("memory")
    end
  end
end

-- Coroutines in coroutines, and scripts that are called back by functions of C, take the machine's stack, which nobody
-- guards.
local depth = 0

local function surfaced(...)
  depth = depth - 1
  return ...
end

function coroutine.resume(thread, ...)
  if depth >= 100 then
    return false, "C stack overflow"
  end
  depth = depth + 1
  return surfaced(resume(thread, ...))
end
local nested = coroutine.resume

local function unwrapped(fine, ...)
  if not fine then
    error((...), type((...)) == "string" and 2 or 0)
  end
  return ...
end

function coroutine.wrap(called)
  local thread = create(called)
  return function(...)
    return unwrapped(nested(thread, ...))
  end
end

local function came_back(fine, ...)
  depth = depth - 1
  if not fine then
    error((...), 0)
  end
  return ...
end

local function calling_back(how)
  return function(...)
    if depth >= 100 then
      error("C stack overflow", 2)
    end
    depth = depth + 1
    return came_back(pcall(how, ...))
  end
end

table.sort = calling_back(table.sort)

-- A handler of errors runs before the stack is unwound: for an error of the hook, that is where no hook is asked.
function xpcall(called, handler, ...)
  return plain_xpcall(called, function(problem)
    if spent then
      return problem
    end
    return handler(problem)
  end, ...)
end

-- ---- names of objects that are the same in every run

local serial, names = 0, setmetatable({}, { __mode = "k" })

local function name_of(object)
  local name = names[object]
  if not name then
    serial = serial + 1
    name = format("%s: 0x%08x", type(object), serial * 32)
    names[object] = name
  end
  return name
end

local function tostring(...)
  if select("#", ...) == 0 then
    error("bad argument #1 to 'tostring' (value expected)", 2)
  end
  local value = ...
  local kind = type(value)
  if kind == "table" or kind == "userdata" then
    local metatable = getmetatable(value)
    local own = type(metatable) == "table" and metatable.__tostring
    return own and own(value) or name_of(value)
  elseif kind == "function" or kind == "thread" then
    return name_of(value)
  end
  return plain_tostring(value)
end
_G.tostring = tostring

local function formatted(form, ...)
  local count, given = select("#", ...), { ... }
  for i = 1, count do
    local kind = type(given[i])
    if kind ~= "string" and kind ~= "number" then
      given[i] = kind == "nil" and "nil" or tostring(given[i])
    end
  end
  return format(form, unpack(given, 1, count))
end

function string.format(form, ...)
  local fine, text = pcall(formatted, form, ...)
  if not fine then
    error(gsub(text, "'%?'", "'format'", 1), 2)
  end
  return text
end

-- ---- tables in an order that is the same in every run

local function ordered(of)
  local keys, count, in_order = {}, 0, true
  for key in next, of do
    count = count + 1
    keys[count] = key
    in_order = in_order and key == count
  end
  return (in_order or count < 2) and keys or host.sorted(keys)
end

function pairs(of)
  local metatable = getmetatable(of)
  local own = type(metatable) == "table" and metatable.__pairs
  if own then
    return own(of)
  end
  if type(of) ~= "table" then
    error(format("bad argument #1 to 'pairs' (table expected, got %s)", of == nil and "nil" or type(of)), 2)
  end
  local keys, at = ordered(of), 0
  return function()
    local key
    repeat
      at = at + 1
      key = keys[at]
    until key == nil or of[key] ~= nil
    return key, of[key]
  end, of, nil
end

_G.next = function(of, key)
  if type(of) ~= "table" then
    local name = getinfo(1, "n").name or "?"
    error(format("bad argument #1 to '%s' (table expected, got %s)", name, of == nil and "nil" or type(of)), 2)
  end
  local keys = ordered(of)
  if key == nil then
    return keys[1], of[keys[1]]
  end
  for i = 1, #keys do
    if keys[i] == key then
      return keys[i + 1], keys[i + 1] ~= nil and of[keys[i + 1]] or nil
    end
  end
  error("invalid key to 'next'", 2)
end

-- ---- patterns: nothing interrupts one that is being matched

local function bounded(how)
  return function(text, pattern, ...)
    if type(text) == "string" and type(pattern) == "string" then
      local work, _, open = #text + 1, gsub(pattern, "[*+%-?]", "")
      if open > 0 and work > 1 and work ^ open > 1e9 then
        stop("pattern")
      end
    end
    return how(text, pattern, ...)
  end
end

string.find, string.match, string.gmatch = bounded(find), bounded(match), bounded(gmatch)
string.gsub = bounded(calling_back(gsub))
string.dump = nil

-- ---- code: text only

load = function(chunk, name, _, environment)
  if type(chunk) == "function" then
    local parts = {}
    for piece in chunk do
      parts[#parts + 1] = piece
    end
    chunk = concat(parts)
  end
  return plain_load(chunk, name, "t", environment or _G)
end
loadstring = load
for _, name in next, { "loadfile", "dofile", "module", "newproxy", "gcinfo", "python" } do
  _G[name] = nil
end

local loaded = { string = string, table = table, math = math, bit = bit, coroutine = coroutine }

-- ---- the machine

os = {
  time = function(of)
    return of and host.time(of) or host.seconds()
  end,
  clock = host.clock,
  date = host.date,
  difftime = function(one, other)
    return one - (other or 0)
  end,
  getenv = function() end,
}
io, ffi, package = nil, nil, { loaded = loaded, preload = {}, path = "", cpath = "" }
print = function() end
collectgarbage = function(what)
  return 0
end
debug = { traceback = function(...) return traceback(...) end }
jit = {
  version = "LuaJIT 2.1.ROLLING",
  version_num = jit.version_num,
  os = "Linux",
  arch = "x64",
  on = function() end,
  off = function() end,
  flush = function() end,
  status = function() return true end,
}
rawlen = function(of)
  return #of
end
loaded.os, loaded.debug, loaded.jit, loaded._G, loaded.package = os, debug, jit, _G, package

require = function(name)
  local found = loaded[name]
  if found ~= nil then
    return found
  end
  local make = package.preload[name]
  if make then
    found = make(name)
    loaded[name] = found == nil and true or found
    return loaded[name]
  end
  error(format("module '%s' not found:\n\tno field package.preload['%s']", tostring(name), tostring(name)), 2)
end

-- ---- running

local api = { newproxy = newproxy, getinfo = getinfo, create = create, yield = coroutine.yield, stop = stop, next = next }

function api.step(thread, ...)
  began, before, depth = clock(), strides, 0
  sethook(hook, "", stride)
  local fine, problem = resume(thread, ...)
  sethook()
  local why = spent
  spent = nil
  if why then
    return "stopped", why
  elseif not fine then
    local kind = type(problem)
    return "failed", (kind == "string" or kind == "number") and plain_tostring(problem) or "unspecified lua error"
  end
  return status(thread) == "dead" and "done" or "waits"
end

-- Make a function of a script, and run it.
function api.load(code)
  local made, problem = plain_load(code, code, "t")
  if not made then
    return "failed", problem
  end
  return api.step(create(made))
end

function api.strides()
  local taken = strides
  strides = 0
  return taken
end

return api
