-- A run ends, once. What loses the race is dropped. Deliveries that are due are recorded in this same step.
-- Stands behind due.lua, free-bytes.lua and end-job.lua.
-- KEYS run, spec, events, open, tenantOpen, finished, stats, attach, outbox, listeners, tenantBytes, job, lock, active, stalled,
--      then the sets of endpoints that want to hear of it
-- ARGV id, attempt, worker, status, state, exitEvent, now, keptBytes, wakeChannel, durationMs, bucket,
--      outboxWake, token (of the job that is done with this; '' for none), sequence, then the last output as in append.lua: what is short ends with its run in one step
local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker', 'sequence', 'ends')
local status = record[1]
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return 'lost' end
if record[2] ~= ARGV[2] then return 'lost' end
-- A run that nobody holds (queued, or swept by the janitor) is ended with the worker named ''.
if ARGV[3] ~= '' and record[3] ~= ARGV[3] then return 'lost' end
-- What is kept is output and artifacts (keptBytes), and the request, which may be as large.
local stored = tonumber(ARGV[8]) + redis.call('HSTRLEN', KEYS[1], 'head') + redis.call('HSTRLEN', KEYS[1], 'payload')
-- First what can fail for this run alone (its stream is none): nothing was done then.
local sent = record[4]
if #ARGV > 14 and sent ~= ARGV[2] .. ':' .. ARGV[14] then
  for i = 15, #ARGV, 3 do
    if ARGV[i + 1] == '' then
      redis.call('XADD', KEYS[3], '*', 't', ARGV[i], 'a', ARGV[2], 'd', ARGV[i + 2])
    else
      redis.call('XADD', KEYS[3], '*', 't', ARGV[i], 'a', ARGV[2], 's', ARGV[i + 1], 'd', ARGV[i + 2])
    end
  end
end
redis.call('XADD', KEYS[3], '*', 't', 'exit', 'a', ARGV[2], 'd', ARGV[6])
redis.call('HSET', KEYS[1], 'status', ARGV[4], 'state', ARGV[5], 'storedBytes', stored)
redis.call('HDEL', KEYS[1], 'secrets')
redis.call('DEL', KEYS[2], KEYS[8])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
freeBytes(KEYS[11], KEYS[7], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[7], ARGV[1])
redis.call('HINCRBY', KEYS[7], 'retainedBytes', stored)
redis.call('HINCRBY', KEYS[7], 'runs:' .. ARGV[4], 1)
redis.call('HINCRBY', KEYS[7], 'duration:count', 1)
redis.call('HINCRBY', KEYS[7], 'duration:sum', ARGV[10])
redis.call('HINCRBY', KEYS[7], 'duration:le:' .. ARGV[11], 1)
if string.find(ARGV[5], '"startedWarm":true', 1, true) then redis.call('HINCRBY', KEYS[7], 'warm', 1) end
-- The outbox keeps the run until its deliveries are made.
local to = due({ unpack(KEYS, 16) }, redis.call('HEXISTS', KEYS[1], 'hook') == 1, KEYS[10])
if #to > 0 then
  redis.call('HSET', KEYS[1], 'due', table.concat(to, ' '))
  redis.call('ZADD', KEYS[9], ARGV[7], ARGV[1])
  redis.call('PUBLISH', ARGV[12], ARGV[1])
end
if ARGV[13] ~= '' then endJob({ unpack(KEYS, 12, 15) }, ARGV[13], ARGV[1]) end
redis.call('PUBLISH', ARGV[9], 'finished')
-- Who waits for this run is told all of it, where that is short and none was written before: it need not ask (run-end.ts).
if record[5] then
  local parts = { ARGV[1] }
  local size = #ARGV[5]
  for i = 17, #ARGV, 3 do size = size + #ARGV[i] end
  if not sent and #ARGV < 1000 and size <= 65536 then
    parts = { ARGV[1], ARGV[4], ARGV[2], record[3] or '', ARGV[5], unpack(ARGV, 15) }
  end
  for i, part in ipairs(parts) do parts[i] = #part .. ':' .. part end
  redis.call('PUBLISH', record[5], table.concat(parts))
end
return 'finished'
