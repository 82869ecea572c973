-- Input for a run's program; nothing for a run that has ended, so that the stream goes with it.
-- KEYS run, attach
-- ARGV mostEntries, then fields and values of the entry
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return 'ended' end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[1]) then return 'full' end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
return 'sent'
