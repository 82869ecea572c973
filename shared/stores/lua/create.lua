-- A run is stored: its record, with its sealed parts, its first event, and its job if it can be taken at once; all or nothing.
-- Stands behind add-job.lua.
-- KEYS run, events, tenantRuns, open, tenantOpen, tenantBytes, stats, idempotency, tenantPending, outbox, job, prioritized, counter,
--      marker, then who wants to hear of its end
-- ARGV id, head, payload (sealed), secrets (sealed; '' for none), dueAt, tenantMost, systemMost, tenantMostBytes, systemMostBytes,
--      idempotencyField ('' for none), statusEvent, hook (its own webhook, sealed; '' for none), deliveriesMost,
--      ends (the channel on which somebody waits; '' for none),
--      retries, tenant, createdAt (beside the head: no script reads what a user wrote, and a run whose head cannot be read ends all the same),
--      then, if it has a job: its name, data, options and priority, now
-- The same run again: a connection broke before its answer, and it was sent anew.
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'created', ARGV[1] } end
if ARGV[10] ~= '' then
  local earlier = redis.call('HGET', KEYS[8], ARGV[10])
  if earlier then return { 'exists', earlier } end
end
local bytes = #ARGV[2] + #ARGV[3] + #ARGV[4] + #ARGV[12]
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[6]) then return { 'tenant_full' } end
local held = tonumber(redis.call('HGET', KEYS[6], 'total') or 0)
if held + bytes > tonumber(ARGV[8]) then return { 'tenant_bytes_full', tostring(held), tostring(bytes) } end
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[7]) then return { 'system_full' } end
if tonumber(redis.call('HGET', KEYS[7], 'openBytes') or 0) + bytes > tonumber(ARGV[9]) then return { 'system_bytes_full' } end
-- Its end makes deliveries: none are begun where too many wait, so that none ever has to be dropped.
if ARGV[12] ~= '' or redis.call('EXISTS', unpack(KEYS, 15)) > 0 then
  if redis.call('ZCARD', KEYS[9]) + redis.call('ZCARD', KEYS[10]) >= tonumber(ARGV[13]) then return { 'deliveries_full' } end
end
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'payload', ARGV[3], 'status', 'queued', 'attempt', 0, 'losses', 0, 'dueAt', ARGV[5],
  'retries', ARGV[15], 'tenant', ARGV[16], 'createdAt', ARGV[17])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'secrets', ARGV[4]) end
if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'hook', ARGV[12]) end
if ARGV[14] ~= '' then redis.call('HSET', KEYS[1], 'ends', ARGV[14]) end
redis.call('XADD', KEYS[2], '*', 't', 'status', 'a', 0, 'd', ARGV[11])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[1])
-- By its id: whoever takes it out gives back what was put in, whatever has become of its record.
redis.call('HSET', KEYS[6], ARGV[1], bytes)
redis.call('HINCRBY', KEYS[6], 'total', bytes)
redis.call('HINCRBY', KEYS[7], 'openBytes', bytes)
if ARGV[10] ~= '' then redis.call('HSET', KEYS[8], ARGV[10], ARGV[1]) end
if ARGV[18] then addJob({ unpack(KEYS, 11, 14) }, ARGV[1], unpack(ARGV, 18)) end
return { 'created', ARGV[1] }
