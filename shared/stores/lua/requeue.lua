-- An attempt was lost (its engine went away, its worker shuts down): another one follows if `retries` allows.
-- KEYS run, events
-- ARGV attempt, worker, statusEvent, wakeChannel
-- `unknown`: as in claim-run.lua.
local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker', 'losses', 'retries', 'cancel')
local status = record[1]
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return 'lost' end
if record[2] ~= ARGV[1] or record[3] ~= ARGV[2] then return 'lost' end
-- An attempt whose program was never started costs nothing.
local losses = tonumber(record[4]) or 0
if status == 'running' then losses = losses + 1 end
local retries = tonumber(record[5])
if not retries and losses > 0 and not record[6] then return 'unknown' end
if record[6] or losses > (retries or 0) then return 'refused' end
redis.call('HSET', KEYS[1], 'status', 'queued', 'losses', losses)
redis.call('HDEL', KEYS[1], 'worker', 'state')
redis.call('XADD', KEYS[2], '*', 't', 'status', 'a', ARGV[1], 'd', ARGV[3])
redis.call('PUBLISH', ARGV[4], 'more')
return 'requeued'
