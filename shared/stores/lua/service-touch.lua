-- A service is in use.
-- KEYS service
-- ARGV now (ms)
local record = redis.call('HMGET', KEYS[1], 'lastUsedAt', 'status', 'wanted', 'generation', 'state')
if not record[1] then return {} end
if tonumber(ARGV[1]) > tonumber(record[1]) then redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[1]) end
return { record[2], record[3], record[4], record[5] or '' }
