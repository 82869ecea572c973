-- Nothing of a service is left: its record goes, and its name is free.
-- KEYS service, services, tenantServices, serviceNames, serviceExecs, tenantBytes, stats
-- ARGV id, name, worker ('' for a janitor, whose worker is dead), generation, wakeChannel
local record = redis.call('HMGET', KEYS[1], 'worker', 'generation')
if not record[2] then return 'gone' end
if record[2] ~= ARGV[4] or (ARGV[3] ~= '' and record[1] ~= ARGV[3]) then return 'lost' end
redis.call('DEL', KEYS[1], KEYS[5])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[4], ARGV[2]) == ARGV[1] then redis.call('HDEL', KEYS[4], ARGV[2]) end
-- As in give-back.lua.
local bytes = redis.call('HGET', KEYS[6], ARGV[1])
if bytes then
  redis.call('HDEL', KEYS[6], ARGV[1])
  redis.call('HINCRBY', KEYS[6], 'total', '-' .. bytes)
  if redis.call('HLEN', KEYS[6]) == 1 then redis.call('DEL', KEYS[6]) end
  redis.call('HINCRBY', KEYS[7], 'openBytes', '-' .. bytes)
end
redis.call('PUBLISH', ARGV[5], 'gone')
return 'removed'
