-- A delivery is to be tried now, with the whole schedule before it again.
-- KEYS delivery, pending, tenantPending, ended
-- ARGV id, now (ms), wakeChannel
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
redis.call('HSET', KEYS[1], 'status', 'pending', 'tries', 0, 'nextAt', ARGV[2])
redis.call('HDEL', KEYS[1], 'finishedAt')
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 'pending'
