-- A worker takes a run: the next attempt is its own, and fences every later write. A function: claim.lua and take.lua stand behind it.
-- KEYS run, spec, events
-- ARGV worker, now, mostBounces, then, if the program can be started at once: state, the status event up to its attempt, wakeChannel
-- A job that comes again (its worker died, its lock ran out) finds the run pulling or running. If the program may
-- have been started, that attempt is lost and `retries` decides; if not, the run starts anew at no cost.
-- `unknown`: it depends on `retries`, which runs that an earlier version stored have in their head alone, where no script looks; nothing
-- was changed, and whoever claims notes them and claims again.
local function claimRun(KEYS, ARGV)
  local record = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'losses', 'worker', 'cancel', 'bounces', 'retries', 'claimedAt', 'head', 'tenant', 'createdAt')
  local status = record[1]
  if not status then return { 'gone' } end
  if status ~= 'queued' and status ~= 'pulling' and status ~= 'running' then return { 'ended', status } end
  -- The same claim again: a connection broke before its answer, and it was sent anew. It counts once.
  local again = record[4] == ARGV[1] and record[8] == ARGV[2]
  local earlier = tonumber(record[2]) or 0
  local attempt = earlier
  if not again then attempt = attempt + 1 end
  local losses = tonumber(record[3]) or 0
  local bounces = tonumber(record[6]) or 0
  if not again and status == 'running' then
    losses = losses + 1
  elseif not again and earlier > 0 then
    bounces = bounces + 1
  end
  local retries = tonumber(record[7])
  if not retries and losses > 0 and not record[5] then return { 'unknown', KEYS[1] } end
  local verdict = 'claimed'
  if record[5] then
    verdict = 'cancelled'
  elseif losses > (retries or 0) or bounces > tonumber(ARGV[3]) then
    verdict = 'lost'
  end
  if verdict == 'lost' or verdict == 'cancelled' then
    -- The attempt that is ending is the one that was lost: no program is started for this claim.
    attempt = math.max(earlier, 0)
  end
  redis.call('HSET', KEYS[1], 'attempt', attempt, 'losses', losses, 'bounces', bounces, 'worker', ARGV[1], 'claimedAt', ARGV[2])
  if again then
    -- Nothing has changed.
  elseif verdict == 'claimed' and ARGV[4] then
    redis.call('HSET', KEYS[1], 'status', 'running', 'state', ARGV[4])
    redis.call('XADD', KEYS[3], '*', 't', 'status', 'a', attempt, 'd', ARGV[5] .. attempt .. '}')
    redis.call('PUBLISH', ARGV[6], 'more')
  elseif verdict == 'claimed' and status ~= 'queued' then
    redis.call('HSET', KEYS[1], 'status', 'queued')
  end
  local sealed = {}
  if verdict == 'claimed' then sealed = redis.call('HMGET', KEYS[1], 'payload', 'secrets') end
  -- An earlier version sealed the request as a whole, apart from the record.
  local spec = verdict == 'claimed' and not sealed[1] and redis.call('GET', KEYS[2])
  return { verdict, KEYS[1], attempt, record[9] or '', record[10] or '', record[11] or '', sealed[1] or '', sealed[2] or '', spec or '' }
end
