-- Runs: one function of the script on one stream.

local sandbox, objects, answer = ...
local create, step = sandbox.create, sandbox.step
local type, rawget = type, rawget
local make, part = objects.make, objects.part

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
