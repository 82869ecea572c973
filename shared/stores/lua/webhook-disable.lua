-- An endpoint has had its last chance: nothing more is due for it, and its owner is told (the outbox makes an event of it).
-- KEYS webhook, outbox, then the set of subscribers of each pattern
-- ARGV id, reason, now (ms), now (RFC 3339), wakeChannel, unlessDeliveredSince (ms; '' for no matter what)
local record = redis.call('HMGET', KEYS[1], 'enabled', 'deliveredAt')
if record[1] ~= '1' then return 'unchanged' end
if ARGV[6] ~= '' and tonumber(record[2] or '0') >= tonumber(ARGV[6]) then return 'unchanged' end
redis.call('HSET', KEYS[1], 'enabled', '0', 'disabledReason', ARGV[2], 'updatedAt', ARGV[4])
for i = 3, #KEYS do redis.call('SREM', KEYS[i], ARGV[1]) end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 'disabled'
