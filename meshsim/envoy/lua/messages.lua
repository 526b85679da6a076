-- Header maps and bodies.

local host, _, objects = ...
local error, select = error, select
local where, fail, text, whole, self_ = objects.where, objects.fail, objects.text, objects.whole, objects.self_
local headers, body = objects.classes.headers, objects.classes.body

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
