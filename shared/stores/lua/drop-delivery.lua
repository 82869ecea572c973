-- A delivery that has ended is forgotten; with the last one of its event, the event's body too.
-- KEYS delivery, attempts, event, tenantDeliveries, endpointDeliveries, runDeliveries, ended, stats
-- ARGV id
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'pending' then return 'pending' end
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[1])
if not status then return 'gone' end
redis.call('DEL', KEYS[1], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('HINCRBY', KEYS[3], 'refs', -1) <= 0 then
  -- As publish.lua counted it. An earlier version left it in plain.
  local bytes = math.max(0, redis.call('HSTRLEN', KEYS[3], 'sealed') - 28) + redis.call('HSTRLEN', KEYS[3], 'body')
  redis.call('HINCRBY', KEYS[8], 'eventBytes', -bytes)
  redis.call('DEL', KEYS[3])
end
return 'dropped'
