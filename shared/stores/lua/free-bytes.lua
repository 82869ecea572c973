-- Stands before what ends something whose bytes are counted: by its id, whatever has become of its record.
local function freeBytes(tenantBytes, stats, id)
  local bytes = redis.call('HGET', tenantBytes, id)
  if not bytes then return 0 end
  redis.call('HDEL', tenantBytes, id)
  redis.call('HINCRBY', tenantBytes, 'total', '-' .. bytes)
  if redis.call('HLEN', tenantBytes) == 1 then redis.call('DEL', tenantBytes) end
  redis.call('HINCRBY', stats, 'openBytes', '-' .. bytes)
  return tonumber(bytes)
end
