-- An endpoint is made or changed; who subscribes to what follows from it in the same step.
-- KEYS webhook, tenantWebhooks, then the set of subscribers of each pattern
-- ARGV id, most ('' when it must exist), subscriptions (one `1` or `0` for each of those sets), then fields and values
if ARGV[2] == '' then
  if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
elseif redis.call('EXISTS', KEYS[1]) == 0 and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then
  return 'full'
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], 0, ARGV[1])
for i = 3, #KEYS do
  if string.sub(ARGV[3], i - 2, i - 2) == '1' then
    redis.call('SADD', KEYS[i], ARGV[1])
  else
    redis.call('SREM', KEYS[i], ARGV[1])
  end
end
return 'saved'
