-- What a worker says of a service that it holds; or a janitor, in the name of one that is dead, or of none (''). Events of a change that are due are recorded in this same step.
-- Stands behind due.lua.
-- KEYS service, outbox, outboxBodies, listeners, then the sets of endpoints that want to hear of it
-- ARGV id, worker, generation, status, state, wakeChannel, now, onlyWhileWanted ('' for whatever is wanted), type ('' for no event), body (sealed, in base64),
--      outboxWake, tenant
local record = redis.call('HMGET', KEYS[1], 'worker', 'generation', 'status', 'wanted', 'state', 'hook')
if (record[1] or '') ~= ARGV[2] or record[2] ~= ARGV[3] then return 'lost' end
if ARGV[8] ~= '' and record[4] ~= ARGV[8] then return 'unwanted' end
if record[3] == ARGV[4] and record[5] == ARGV[5] then return 'reported' end
redis.call('HSET', KEYS[1], 'status', ARGV[4], 'state', ARGV[5])
if ARGV[9] ~= '' and record[3] ~= ARGV[4] then
  local to = due({ unpack(KEYS, 5) }, record[6], KEYS[4])
  if #to > 0 then
    local member = ARGV[1] .. ':' .. redis.call('HINCRBY', KEYS[1], 'events', 1)
    redis.call('HSET', KEYS[3], member, cjson.encode({
      tenant = ARGV[12], type = ARGV[9], body = ARGV[10], due = to, hook = record[6] or '', service = ARGV[1] }))
    redis.call('ZADD', KEYS[2], ARGV[7], member)
    redis.call('PUBLISH', ARGV[11], member)
  end
end
redis.call('PUBLISH', ARGV[6], 'changed')
return 'reported'
