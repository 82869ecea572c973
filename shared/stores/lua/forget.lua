-- A run that has ended is forgotten, with all that was kept of it.
-- KEYS run, spec, events, tenantRuns, finished, stats
-- ARGV id
local record = redis.call('HMGET', KEYS[1], 'status', 'storedBytes', 'due', 'forgotten')
local status = record[1]
if status == 'queued' or status == 'pulling' or status == 'running' then return 'active' end
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
if not status or record[4] then return 'gone' end
local bytes = record[2] or '0'
if bytes ~= '0' then redis.call('HINCRBY', KEYS[6], 'retainedBytes', '-' .. bytes) end
if record[3] then
  -- Its webhooks are not on their way yet: for everybody else it is gone (publish.lua removes it).
  redis.call('HSET', KEYS[1], 'forgotten', 1)
  return 'forgotten'
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 'forgotten'
