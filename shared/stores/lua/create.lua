-- A run is stored: its record, its sealed request, its first event; all or nothing.
-- KEYS run, spec, events, tenantRuns, open, tenantOpen, idempotency
-- ARGV id, head, sealed, dueAt, tenantMost, systemMost, idempotencyField ('' for none), statusEvent
if ARGV[7] ~= '' then
  local earlier = redis.call('HGET', KEYS[7], ARGV[7])
  if earlier then return { 'exists', earlier } end
end
if redis.call('ZCARD', KEYS[6]) >= tonumber(ARGV[5]) then return { 'tenant_full' } end
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[6]) then return { 'system_full' } end
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'status', 'queued', 'attempt', 0, 'losses', 0, 'dueAt', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[3], '*', 't', 'status', 'a', 0, 'd', ARGV[8])
redis.call('ZADD', KEYS[4], 0, ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[4], ARGV[1])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[7], ARGV[7], ARGV[1]) end
return { 'created', ARGV[1] }
