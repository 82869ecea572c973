-- Somebody wants something of a service; its worker hears of it.
-- KEYS service
-- ARGV what (running, wake, stopped, removed, restart, used), now, wakeChannel
local record = redis.call('HMGET', KEYS[1], 'wanted', 'status', 'worker', 'lastUsedAt')
local wanted, status = record[1], record[2]
if not wanted or wanted == 'removed' then return { 'gone' } end
local what = ARGV[1]
if tonumber(ARGV[2]) > tonumber(record[4]) then redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[2]) end
local to = wanted
if what == 'running' or what == 'restart' or (what == 'wake' and wanted == 'idle') then
  to = 'running'
elseif what == 'stopped' or what == 'removed' then
  to = what
end
local changed = to ~= wanted or what == 'restart' or (what == 'running' and (status == 'failed' or status == 'stopped'))
if changed then
  redis.call('HSET', KEYS[1], 'wanted', to)
  redis.call('HINCRBY', KEYS[1], 'restart', (what == 'restart' or to == 'running') and 1 or 0)
  if what == 'restart' then redis.call('HINCRBY', KEYS[1], 'bounce', 1) end
  if to == 'running' then
    redis.call('HSET', KEYS[1], 'status', 'starting')
    status = 'starting'
  end
  redis.call('PUBLISH', ARGV[3], 'changed')
end
return { changed and 'changed' or 'unchanged', record[3] or '', status }
