-- A service is stored: its record, its sealed request, its name; all or nothing.
-- KEYS service, services, tenantServices, serviceNames
-- ARGV id, name, head, sealed, most, now, hook (its own webhook, sealed, in base64; '' for none)
local earlier = redis.call('HGET', KEYS[4], ARGV[2])
if earlier then return { 'name_taken', earlier } end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return { 'full' } end
redis.call('HSET', KEYS[1], 'head', ARGV[3], 'spec', ARGV[4], 'wanted', 'running', 'status', 'starting', 'generation', 0,
  'restart', 0, 'lastUsedAt', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'hook', ARGV[7]) end
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('HSET', KEYS[4], ARGV[2], ARGV[1])
return { 'created' }
