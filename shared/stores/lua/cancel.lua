-- Somebody wants a run to end: the worker that holds it hears of it. A run that nobody holds is the caller's to end.
-- KEYS run
-- ARGV base (of the worker's wake channel), id
local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker')
local status = record[1]
if not status then return { 'gone' } end
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return { 'ended', status } end
redis.call('HSET', KEYS[1], 'cancel', 1)
if not record[3] then return { 'unheld', record[2] } end
redis.call('PUBLISH', ARGV[1] .. record[3], 'cancel ' .. ARGV[2])
return { 'asked', record[2], record[3] }
