-- A service is stored: its record, with its sealed part, and its name; all or nothing.
-- KEYS service, services, tenantServices, serviceNames, tenantBytes, stats
-- ARGV id, name, head, payload (sealed), most, now, hook (its own webhook, sealed, in base64; '' for none), tenantMostBytes, systemMostBytes
local earlier = redis.call('HGET', KEYS[4], ARGV[2])
if earlier then return { 'name_taken', earlier } end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return { 'full' } end
-- As in create.lua: they live as long as it does.
local bytes = #ARGV[3] + #ARGV[4] + #ARGV[7]
local held = tonumber(redis.call('HGET', KEYS[5], 'total') or 0)
if held + bytes > tonumber(ARGV[8]) then return { 'tenant_bytes_full', tostring(held), tostring(bytes) } end
if tonumber(redis.call('HGET', KEYS[6], 'openBytes') or 0) + bytes > tonumber(ARGV[9]) then return { 'system_bytes_full' } end
redis.call('HSET', KEYS[1], 'head', ARGV[3], 'payload', ARGV[4], 'wanted', 'running', 'status', 'starting', 'generation', 0,
  'restart', 0, 'lastUsedAt', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'hook', ARGV[7]) end
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('HSET', KEYS[4], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[5], ARGV[1], bytes)
redis.call('HINCRBY', KEYS[5], 'total', bytes)
redis.call('HINCRBY', KEYS[6], 'openBytes', bytes)
return { 'created' }
