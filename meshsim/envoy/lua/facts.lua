-- What is known of a stream: metadata, of its route and its own, its connection, its names.

local host, sandbox, objects = ...
local next = sandbox.next
local error, type, select, pairs = error, type, select, pairs
local format = string.format
local where, text, self_, part = objects.where, objects.text, objects.self_, objects.part
local classes = objects.classes
local metadata, connection, stream_info, dynamic, owner =
  classes.metadata, classes.connection, classes.stream_info, classes.dynamic, classes.owner

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
