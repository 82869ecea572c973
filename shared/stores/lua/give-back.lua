-- What is open no more, though no end of it was written, is taken out of what is counted. Stands behind free-bytes.lua.
-- KEYS open, tenantOpen, tenantBytes, stats
-- ARGV id
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return freeBytes(KEYS[3], KEYS[4], ARGV[1])
