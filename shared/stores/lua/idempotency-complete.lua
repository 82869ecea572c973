-- Keeps the first answer of a key. Where a tenant's answers are too much together, the oldest are no more kept word for word.
-- Stands behind idempotency-index.lua.
-- ARGV digest, status, location, answer (sealed; '' for none), mostBytes, what the digest follows in the name of a record
local at = redis.call('ZSCORE', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
redis.call('HSET', KEYS[1], 'status', ARGV[2], 'location', ARGV[3])
-- One that an earlier version began is in no index, and goes by its time alone.
if ARGV[4] == '' or not at then return 'kept' end
redis.call('HSET', KEYS[1], 'sealed', ARGV[4])
redis.call('ZADD', KEYS[3], at, #ARGV[4] .. ':' .. ARGV[1])
local bytes = redis.call('INCRBY', KEYS[4], #ARGV[4])
while bytes > tonumber(ARGV[5]) do
  local oldest = redis.call('ZPOPMIN', KEYS[3])
  if not oldest[1] then break end
  local size, digest = string.match(oldest[1], '^(%d+):(.*)$')
  redis.call('HDEL', ARGV[6] .. digest, 'sealed')
  bytes = redis.call('DECRBY', KEYS[4], size)
end
local left = redis.call('PTTL', KEYS[2])
for _, key in ipairs({ KEYS[3], KEYS[4] }) do redis.call('PEXPIRE', key, left) end
return 'kept'
