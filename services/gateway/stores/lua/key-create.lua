-- KEYS apiKeys, apiKeyIds
-- ARGV digest, record, id, how many keys there may be at the most before it
-- Who calls has counted the tenant's; more than that have come since only if others were made meanwhile: it counts again.
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return 'changed' end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'exists' end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[1])
return 'created'
