-- A new secret; the old one signs beside it for a while.
-- KEYS webhook
-- ARGV sealed, previousUntil (ms), updatedAt
local old = redis.call('HGET', KEYS[1], 'secret')
if not old then return 'gone' end
-- The same secret again: a connection broke before its answer, and it was sent anew.
if old == ARGV[1] then return 'rotated' end
redis.call('HSET', KEYS[1], 'secret', ARGV[1], 'previousSecret', old, 'previousUntil', ARGV[2], 'updatedAt', ARGV[3])
return 'rotated'
