-- An event becomes deliveries, each pending, and is taken out of the outbox: all in one step, and once.
-- KEYS outbox, run, runEvents, event, tenantEvents, tenantDeliveries, pending, tenantPending, stats, outboxBodies,
--      then for each delivery: its record, its endpoint's index, its run's index
-- ARGV outboxMember ('' for none), eventId, type, tenant, now (ms), createdAt, body (sealed), streamed ('1' or ''), mostStreamed,
--      streamMs, streamChannel, runId ('' for none), then for each delivery: id, endpoint ('' for none), url, sealed secret
-- The same event again: a connection broke before its answer, and it was sent anew.
if redis.call('EXISTS', KEYS[4]) == 1 then return 'published' end
if ARGV[1] ~= '' then
  if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 'taken' end
  redis.call('HDEL', KEYS[10], ARGV[1])
  if ARGV[1] == ARGV[12] then
    redis.call('HDEL', KEYS[2], 'due', 'hook')
    -- It was to be forgotten while its event waited.
    if redis.call('HEXISTS', KEYS[2], 'forgotten') == 1 then redis.call('DEL', KEYS[2], KEYS[3]) end
  end
end
if ARGV[8] == '1' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], '*', 'i', ARGV[2], 't', ARGV[3], 's', ARGV[7])
  redis.call('PEXPIRE', KEYS[5], ARGV[10])
  redis.call('PUBLISH', ARGV[11], 'more')
end
local count = (#KEYS - 10) / 3
if count == 0 then return 'published' end
redis.call('HSET', KEYS[4], 'sealed', ARGV[7], 'refs', count)
-- What a seal adds is not counted: a nonce and a tag, 28 bytes (secrets.ts).
redis.call('HINCRBY', KEYS[9], 'eventBytes', #ARGV[7] - 28)
redis.call('HINCRBY', KEYS[9], 'events:' .. ARGV[3], 1)
for i = 0, count - 1 do
  local id, endpoint = ARGV[13 + i * 4], ARGV[14 + i * 4]
  redis.call('HSET', KEYS[11 + i * 3],
    'tenant', ARGV[4], 'event', ARGV[2], 'type', ARGV[3], 'endpoint', endpoint, 'run', ARGV[12], 'url', ARGV[15 + i * 4],
    'secret', ARGV[16 + i * 4], 'status', 'pending', 'tries', 0, 'createdAt', ARGV[6], 'nextAt', ARGV[5])
  redis.call('ZADD', KEYS[6], 0, id)
  redis.call('ZADD', KEYS[7], ARGV[5], id)
  redis.call('ZADD', KEYS[8], 0, id)
  if endpoint ~= '' then redis.call('ZADD', KEYS[12 + i * 3], 0, id) end
  if ARGV[12] ~= '' then redis.call('ZADD', KEYS[13 + i * 3], 0, id) end
end
return 'published'
