-- A service is given to a worker: the next generation is its own, and fences every write of whoever had it before.
-- KEYS service
-- ARGV expectedGeneration, worker, engine, wakeChannel, the state it has on another engine than before
local record = redis.call('HMGET', KEYS[1], 'generation', 'engine')
if not record[1] then return 'gone' end
if record[1] ~= ARGV[1] then return 'lost' end
redis.call('HSET', KEYS[1], 'worker', ARGV[2], 'engine', ARGV[3], 'generation', tonumber(ARGV[1]) + 1)
-- Its container is not there: nobody may be led to where it was, which can be another service's address by now.
if record[2] and record[2] ~= ARGV[3] then redis.call('HSET', KEYS[1], 'status', 'starting', 'state', ARGV[5]) end
redis.call('PUBLISH', ARGV[4], 'changed')
return 'assigned'
