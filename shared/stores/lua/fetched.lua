-- Stands before claim.lua, sent right behind a worker's fetch of its next job, perhaps long before there is one: finds the run that
-- the job is for, and lets it be claimed where it is one of those that the worker can start at once.
-- KEYS active (BullMQ's list of jobs in somebody's hands, the newest first)
-- ARGV token (of that fetch, which BullMQ writes into the job's lock), then with <id> for the job's id: lock, job, run, spec, events,
--      wakeChannel; then worker, now, mostBounces, then pairs: what the job's data end in, the state but for its times
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

local id
for _, one in ipairs(redis.call('LRANGE', KEYS[1], 0, 15)) do
  if redis.call('GET', at(ARGV[2], one)) == ARGV[1] then
    local holder = redis.call('HMGET', at(ARGV[4], one), 'worker', 'claimedAt')
    local again = holder[1] == ARGV[8] and holder[2] == ARGV[9]
    -- A connection broke before the answers, and fetch and claim were sent anew: two jobs may be held by this token, one is claimed.
    if again or not id then id = one end
    if again then break end
  end
end
if not id then return { 'none' } end
local data = redis.call('HGET', at(ARGV[3], id), 'data') or ''
local state
for i = 11, #ARGV, 2 do
  if string.sub(data, -#ARGV[i]) == ARGV[i] then state = ARGV[i + 1] end
end
if not state then return { 'unlike' } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waited = math.max(0, now - (tonumber(redis.call('HGET', at(ARGV[4], id), 'dueAt') or now)))
state = string.gsub(state, '"queuedMs":null', string.format('"queuedMs":%d', waited), 1)
state = string.gsub(state, '"startedAt":null', '"startedAt":"' .. iso(now) .. '"', 1)
local event = '{"status":"running","at":"' .. iso(now) .. '","attempt":'
local KEYS = { at(ARGV[4], id), at(ARGV[5], id), at(ARGV[6], id) }
local ARGV = { ARGV[8], ARGV[9], ARGV[10], state, event, at(ARGV[7], id) }
