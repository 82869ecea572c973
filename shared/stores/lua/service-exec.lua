-- A program inside of a service is noted, as long as there is the service.
-- KEYS service, serviceExecs
-- ARGV run, exec
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 'noted'
