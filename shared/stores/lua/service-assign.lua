-- A service is given to a worker: the next generation is its own, and fences every write of whoever had it before.
-- KEYS service
-- ARGV expectedGeneration, worker, engine, wakeChannel
local record = redis.call('HMGET', KEYS[1], 'generation', 'wanted')
if not record[1] then return 'gone' end
if record[1] ~= ARGV[1] then return 'lost' end
redis.call('HSET', KEYS[1], 'worker', ARGV[2], 'engine', ARGV[3], 'generation', tonumber(ARGV[1]) + 1)
redis.call('PUBLISH', ARGV[4], 'changed')
return 'assigned'
