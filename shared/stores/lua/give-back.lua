-- What is open no more, though no end of it was written, is taken out of what is counted.
-- KEYS open, tenantOpen, tenantBytes, stats
-- ARGV id
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local bytes = redis.call('HGET', KEYS[3], ARGV[1])
if not bytes then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'total', '-' .. bytes)
if redis.call('HLEN', KEYS[3]) == 1 then redis.call('DEL', KEYS[3]) end
redis.call('HINCRBY', KEYS[4], 'openBytes', '-' .. bytes)
return tonumber(bytes)
