-- A run is stored: its record, its sealed request, its first event; all or nothing.
-- KEYS run, spec, events, tenantRuns, open, tenantOpen, idempotency, tenantPending, outbox, then who wants to hear of its end
-- ARGV id, head, sealed, dueAt, tenantMost, systemMost, idempotencyField ('' for none), statusEvent,
--      hook (its own webhook, sealed; '' for none), deliveriesMost, ends (the channel on which somebody waits; '' for none),
--      retries, tenant, createdAt (beside the head: no script reads what a user wrote, and a run whose head cannot be read ends all the same)
-- The same run again: a connection broke before its answer, and it was sent anew.
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'created', ARGV[1] } end
if ARGV[7] ~= '' then
  local earlier = redis.call('HGET', KEYS[7], ARGV[7])
  if earlier then return { 'exists', earlier } end
end
if redis.call('ZCARD', KEYS[6]) >= tonumber(ARGV[5]) then return { 'tenant_full' } end
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[6]) then return { 'system_full' } end
-- Its end makes deliveries: none are begun where too many wait, so that none ever has to be dropped.
if ARGV[9] ~= '' or redis.call('EXISTS', unpack(KEYS, 10)) > 0 then
  if redis.call('ZCARD', KEYS[8]) + redis.call('ZCARD', KEYS[9]) >= tonumber(ARGV[10]) then return { 'deliveries_full' } end
end
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'status', 'queued', 'attempt', 0, 'losses', 0, 'dueAt', ARGV[4],
  'retries', ARGV[12], 'tenant', ARGV[13], 'createdAt', ARGV[14])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'hook', ARGV[9]) end
if ARGV[11] ~= '' then redis.call('HSET', KEYS[1], 'ends', ARGV[11]) end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[3], '*', 't', 'status', 'a', 0, 'd', ARGV[8])
redis.call('ZADD', KEYS[4], 0, ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[4], ARGV[1])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[7], ARGV[7], ARGV[1]) end
return { 'created', ARGV[1] }
