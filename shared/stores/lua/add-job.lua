-- Stands before what stores a run: adds the run's job, which can be taken at once, as BullMQ adds one with a priority (run-jobs.ts).
local function addJob(keys, id, name, data, options, priority, now)
  local job, prioritized, counter, marker = unpack(keys)
  if redis.call('EXISTS', job) == 1 then return end
  redis.call('HSET', job, 'name', name, 'data', data, 'opts', options, 'timestamp', now, 'delay', 0, 'priority', priority)
  redis.call('ZADD', prioritized, priority * 0x100000000 + redis.call('INCR', counter) % 0x100000000, id)
  -- Wakes a worker that waits.
  redis.call('ZADD', marker, 0, '0')
end
