-- A try is over: it is noted, and the delivery ends or waits for the next one.
-- KEYS delivery, attempts, pending, tenantPending, ended, stats, webhook
-- ARGV id, attempt (JSON), outcome (delivered, failed, retry), now (ms), now (RFC 3339), nextAt (ms), mostAttempts
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 'gone' end
-- The same try again: a connection broke before its answer, and it was sent anew.
if redis.call('LINDEX', KEYS[2], -1) == ARGV[2] then return status end
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[7]), -1)
redis.call('HINCRBY', KEYS[6], 'attempts', 1)
if ARGV[3] == 'delivered' and redis.call('EXISTS', KEYS[7]) == 1 then redis.call('HSET', KEYS[7], 'deliveredAt', ARGV[4]) end
-- Two notifiers may have had it (a job that stalled): a delivery that arrived has arrived, whatever the other one saw.
if status == 'delivered' or (status == 'failed' and ARGV[3] ~= 'delivered') then return status end
if ARGV[3] == 'retry' then
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
  redis.call('HSET', KEYS[1], 'nextAt', ARGV[6])
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
  return 'pending'
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'finishedAt', ARGV[5])
redis.call('HDEL', KEYS[1], 'nextAt')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
redis.call('HINCRBY', KEYS[6], 'deliveries:' .. ARGV[3], 1)
return ARGV[3]
