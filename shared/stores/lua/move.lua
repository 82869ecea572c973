-- A run goes from one active state to another: queued, pulling, running.
-- KEYS run, events
-- ARGV attempt, worker, status, state, statusEvent, wakeChannel
local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker', 'cancel', 'state')
local status = record[1]
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return 'lost' end
if record[2] ~= ARGV[1] or record[3] ~= ARGV[2] then return 'lost' end
if record[4] then return 'cancelled' end
-- The same move again: a connection broke before its answer, and it was sent anew.
if status == ARGV[3] and record[5] == ARGV[4] then return 'moved' end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'state', ARGV[4])
redis.call('XADD', KEYS[2], '*', 't', 'status', 'a', ARGV[1], 'd', ARGV[5])
redis.call('PUBLISH', ARGV[6], 'more')
return 'moved'
