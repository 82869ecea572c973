-- A worker takes the next jobs, as BullMQ gives them out (run-jobs.ts), and with each the run, where it is one of those that the worker can
-- start. Stands behind claim-run.lua.
-- KEYS wait, prioritized, active, delayed, marker, counter, taken (what this worker took last)
-- ARGV token (of this take: the jobs' lock), lockMs, then with <id> for the job's id: lock, job, run, spec, events, wakeChannel; then
--      worker, claimedAt, mostBounces, most (jobs), then triples: what the job's data end in, how many of these runs start at once (the
--      others are only claimed), the state of those but for its times
-- `due`: the time of delayed jobs has come, and BullMQ puts them into the queue first. `none`: with the number of those that are delayed.
-- `taken`: with { id, data, started, what claimRun says } of each job, or { id, data } where its run was not claimed.
-- By a function: in a string of its own "%" would not stand for itself.
local function at(template, id) return (string.gsub(template, '<id>', function() return id end)) end

-- As JavaScript writes it. Days become a date as in Howard Hinnant's civil_from_days, whose years begin in March.
local function iso(ms)
  local seconds = math.floor(ms / 1000)
  local days = math.floor(seconds / 86400) + 719468
  local era = math.floor(days / 146097)
  local day = days - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)
  day = day - math.floor((153 * month + 2) / 5) + 1
  year = year + era * 400
  if month < 10 then month = month + 3 else month, year = month - 9, year + 1 end
  local rest = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, ms % 1000)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = {}
local function nextId()
  local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[3])
  if id then return id end
  id = redis.call('ZPOPMIN', KEYS[2])[1]
  if id then redis.call('LPUSH', KEYS[3], id) end
  return id
end
local function waiting() return redis.call('ZCARD', KEYS[2]) + redis.call('LLEN', KEYS[1]) end
-- The same take again: a connection broke before its answer, and it was sent anew.
local taken = redis.call('GET', KEYS[7]) or ''
if string.sub(taken, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then
  for id in string.gmatch(string.sub(taken, #ARGV[1] + 2), '[^ ]+') do ids[#ids + 1] = id end
else
  local delayed = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]
  if delayed and tonumber(delayed) < (now + 1) * 0x1000 then return { 'due' } end
  ids[1] = nextId()
  if not ids[1] then
    redis.call('DEL', KEYS[6])
    return { 'none', delayed and 1 or 0 }
  end
  for _ = 1, math.min(tonumber(ARGV[12]) - 1, math.floor(waiting() / 2)) do ids[#ids + 1] = nextId() end
  for _, id in ipairs(ids) do redis.call('SET', at(ARGV[3], id), ARGV[1], 'PX', ARGV[2]) end
  redis.call('SET', KEYS[7], ARGV[1] .. ' ' .. table.concat(ids, ' '), 'PX', ARGV[2])
  -- For the next worker that waits: one wait takes the marker away.
  if waiting() > 0 then redis.call('ZADD', KEYS[5], 0, '0') end
end
local left = {}
for i = 13, #ARGV, 3 do left[i] = tonumber(ARGV[i + 1]) end
local function claim(id, data)
  local kind
  for i = 13, #ARGV, 3 do
    if string.sub(data, -#ARGV[i]) == ARGV[i] then kind = i end
  end
  if not kind then return { id, data } end
  local run = { at(ARGV[5], id), at(ARGV[6], id), at(ARGV[7], id) }
  if left[kind] <= 0 then return { id, data, 0, claimRun(run, { ARGV[9], ARGV[10], ARGV[11] }) } end
  left[kind] = left[kind] - 1
  local waited = math.max(0, now - (tonumber(redis.call('HGET', run[1], 'dueAt') or now)))
  local state = string.gsub(ARGV[kind + 2], '"queuedMs":null', string.format('"queuedMs":%d', waited), 1)
  state = string.gsub(state, '"startedAt":null', '"startedAt":"' .. iso(now) .. '"', 1)
  local event = '{"status":"running","at":"' .. iso(now) .. '","attempt":'
  return { id, data, 1, claimRun(run, { ARGV[9], ARGV[10], ARGV[11], state, event, at(ARGV[8], id) }) }
end
local jobs = { 'taken' }
for _, id in ipairs(ids) do
  local data = redis.call('HGET', at(ARGV[4], id), 'data') or ''
  -- The job is this worker's, whatever is broken of the run: it claims by itself then, and hears why that is not possible.
  local ok, answer = pcall(claim, id, data)
  jobs[#jobs + 1] = ok and answer or { id, data }
end
return jobs
