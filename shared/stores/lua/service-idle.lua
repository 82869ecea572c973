-- Nobody has called a service for as long as it lives without a call: it is to stop, or to go. A call that came meanwhile wins.
-- KEYS service
-- ARGV worker, generation, usedBefore (ms), to (idle, removed), wakeChannel
local record = redis.call('HMGET', KEYS[1], 'worker', 'generation', 'lastUsedAt', 'wanted')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'lost' end
if record[4] ~= 'running' then return 'unwanted' end
if tonumber(record[3]) >= tonumber(ARGV[3]) then return 'used' end
redis.call('HSET', KEYS[1], 'wanted', ARGV[4])
redis.call('PUBLISH', ARGV[5], 'changed')
return 'idle'
