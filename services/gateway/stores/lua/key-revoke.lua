-- KEYS apiKeys, apiKeyIds, apiKeyUses, revokedKeys, gateways, apiKeysRevision
-- ARGV id, digest, its record as it was read, digest of another key that is to remain or '', that one's record as it was read,
--      channel, how many revoked digests are kept, ms after which a gateway that says nothing is dead
-- Records are compared, not parsed: names in them are the users'.
if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] then return { 'changed' } end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[1], ARGV[4]) ~= ARGV[5] then return { 'changed' } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], now, ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -tonumber(ARGV[7]) - 1)
local revision = redis.call('INCR', KEYS[6])
redis.call('PUBLISH', ARGV[6], 'revoked ' .. revision .. ' ' .. ARGV[1])
return { 'revoked', tostring(revision), unpack(redis.call('ZRANGEBYSCORE', KEYS[5], now - tonumber(ARGV[8]), '+inf')) }
