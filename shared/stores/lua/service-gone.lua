-- Nothing of a service is left: its record goes, and its name is free. Stands behind free-bytes.lua.
-- KEYS service, services, tenantServices, serviceNames, serviceExecs, tenantBytes, stats
-- ARGV id, name, worker ('' for a janitor, whose worker is dead), generation, wakeChannel
local record = redis.call('HMGET', KEYS[1], 'worker', 'generation')
if not record[2] then return 'gone' end
if record[2] ~= ARGV[4] or (ARGV[3] ~= '' and record[1] ~= ARGV[3]) then return 'lost' end
redis.call('DEL', KEYS[1], KEYS[5])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[4], ARGV[2]) == ARGV[1] then redis.call('HDEL', KEYS[4], ARGV[2]) end
freeBytes(KEYS[6], KEYS[7], ARGV[1])
redis.call('PUBLISH', ARGV[5], 'gone')
return 'removed'
