-- Stands before what writes an Idempotency-Key of a tenant. KEYS idempotency, index (digests by when they began), answers (`bytes:digest`, by the same),
-- answersBytes (the sum of these)
local function forgetAnswers(untilMs)
  for _, answer in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', untilMs, 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[3], answer)
    redis.call('DECRBY', KEYS[4], (string.match(answer, '^%d+')))
  end
end
