-- Counters, gauges and histograms of the script's own.

local host, sandbox, objects = ...
local next = sandbox.next
local select = select
local format = string.format
local fail, text, whole, make, self_ = objects.fail, objects.text, objects.whole, objects.make, objects.self_
local classes = objects.classes
local stats, counter, gauge, histogram = classes.stats, classes.counter, classes.gauge, classes.histogram

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
