-- Output and progress of a run's current attempt; anybody else's is dropped.
-- KEYS run, events
-- ARGV attempt, worker, wakeChannel, sequence, then triples of type, step ('' for `run`, or none) and data
-- The sequence makes it safe to send again after a connection broke before the answer: nothing is doubled.
local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker', 'sequence')
local status = record[1]
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return 'lost' end
if record[2] ~= ARGV[1] or record[3] ~= ARGV[2] then return 'lost' end
local sequence = ARGV[1] .. ':' .. ARGV[4]
if record[4] == sequence then return 'appended' end
redis.call('HSET', KEYS[1], 'sequence', sequence)
for i = 5, #ARGV, 3 do
  if ARGV[i + 1] == '' then
    redis.call('XADD', KEYS[2], '*', 't', ARGV[i], 'a', ARGV[1], 'd', ARGV[i + 2])
  else
    redis.call('XADD', KEYS[2], '*', 't', ARGV[i], 'a', ARGV[1], 's', ARGV[i + 1], 'd', ARGV[i + 2])
  end
end
redis.call('PUBLISH', ARGV[3], 'more')
return 'appended'
