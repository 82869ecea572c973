-- The first request with a key goes on; the others replay it, wait for it, or are refused. Of too many the oldest is forgotten.
-- Stands behind idempotency-index.lua.
-- ARGV fingerprint, now, leaseMs, ttlMs, digest, most, what the digest follows in the name of a record
local now = tonumber(ARGV[2])
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'answer', 'location', 'leaseUntil', 'sealed')
if not record[1] then
  -- Those went by themselves.
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
  forgetAnswers(now - ARGV[4])
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    local name = ARGV[7] .. oldest[1]
    local state = redis.call('HMGET', name, 'status', 'leaseUntil')
    if not state[1] and tonumber(state[2] or 0) > now then return { 'full' } end
    redis.call('DEL', name)
    redis.call('ZREM', KEYS[2], oldest[1])
    forgetAnswers(oldest[2])
  end
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'leaseUntil', now + ARGV[3])
  redis.call('ZADD', KEYS[2], now, ARGV[5])
  for _, key in ipairs({ KEYS[1], KEYS[2], KEYS[3], KEYS[4] }) do redis.call('PEXPIRE', key, ARGV[4]) end
  return { 'begun' }
end
if record[1] ~= ARGV[1] then return { 'mismatch' } end
if record[2] then return { 'replay', record[2], record[3] or '', record[4] or '', record[6] or '' } end
if tonumber(record[5]) > now then return { 'in_progress' } end
-- The first request died on its way: take over; runs that it created are found under their fields.
redis.call('HSET', KEYS[1], 'leaseUntil', now + ARGV[3])
return { 'begun' }
