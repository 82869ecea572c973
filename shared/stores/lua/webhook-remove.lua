-- KEYS webhook, tenantWebhooks, then the set of subscribers of each pattern
-- ARGV id
if redis.call('DEL', KEYS[1]) == 0 then return 'gone' end
redis.call('ZREM', KEYS[2], ARGV[1])
for i = 3, #KEYS do redis.call('SREM', KEYS[i], ARGV[1]) end
return 'removed'
