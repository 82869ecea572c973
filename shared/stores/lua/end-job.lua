-- Stands before what ends a run: its job goes from the queue, as BullMQ removes one that has ended (run-jobs.ts). Nothing is done where
-- somebody else has the job's lock by now.
local function endJob(keys, token, id)
  local job, lock, active, stalled = unpack(keys)
  if redis.call('GET', lock) ~= token then return 'lost' end
  redis.call('DEL', job, lock)
  redis.call('LREM', active, -1, id)
  redis.call('SREM', stalled, id)
  return 'ended'
end
