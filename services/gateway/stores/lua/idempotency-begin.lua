-- The first request with a key goes on; the others replay it, wait for it, or are refused.
-- KEYS idempotency
-- ARGV fingerprint, now, leaseMs, ttlMs
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'answer', 'location', 'leaseUntil', 'sealed')
if not record[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'leaseUntil', tonumber(ARGV[2]) + tonumber(ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return { 'begun' }
end
if record[1] ~= ARGV[1] then return { 'mismatch' } end
if record[2] then return { 'replay', record[2], record[3] or '', record[4] or '', record[6] or '' } end
if tonumber(record[5]) > tonumber(ARGV[2]) then return { 'in_progress' } end
-- The first request died on its way: take over; runs that it created are found under their fields.
redis.call('HSET', KEYS[1], 'leaseUntil', tonumber(ARGV[2]) + tonumber(ARGV[3]))
return { 'begun' }
