-- A gateway says that it lives, and which key it has in its environment (stores/gateways.ts has the rules).
-- KEYS gateways, gatewayKeys, apiKeys, apiKeyIds, apiKeyUses, revokedKeys, broughtKeys, broughtSeen,
--      apiKeysRevision
-- ARGV gateway, digest or '', record, id, first beat '1', the key was there before anybody wrote where keys come from '1',
--      channel, beat's number, ms after which a silent gateway is dead, ms of grace, how many brought digests are kept
local gateways, gatewayKeys, apiKeys, ids, uses, revoked, brought, seen, revision = unpack(KEYS)
local me, digest, record, id, first, adopt, channel, number = unpack(ARGV)
local lifeMs, graceMs, most = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', gateways, '-inf', '(' .. (now - lifeMs))) do
  redis.call('ZREM', gateways, dead)
  redis.call('HDEL', gatewayKeys, dead)
end
redis.call('ZADD', gateways, now, me)
redis.call('PEXPIRE', gateways, 60000)

-- Digests that another gateway has in its environment at present.
local announced = {}
local flat = redis.call('HGETALL', gatewayKeys)
for i = 1, #flat, 2 do
  if flat[i] ~= me then announced[flat[i + 1]] = true end
end
local generation = {}
local newest = 0
local all = redis.call('ZRANGE', brought, 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do
  generation[all[i]] = tonumber(all[i + 1])
  newest = math.max(newest, generation[all[i]])
end

-- Whether some gateway has a newer key, or had one a moment ago, as one has that is started anew just now.
local function newerIsUsed(than, withinMs)
  for other, its in pairs(generation) do
    if its > than then
      if announced[other] then return true end
      if now - tonumber(redis.call('HGET', seen, other) or 0) < withinMs then return true end
    end
  end
  return false
end

local function bring()
  newest = newest + 1
  generation[digest] = newest
  redis.call('ZADD', brought, newest, digest)
  redis.call('ZREMRANGEBYRANK', brought, 0, -most - 1)
  redis.call('HSET', apiKeys, digest, record)
  redis.call('HSET', ids, id, digest)
end

local status = 'none'
local retireAfterMs = graceMs
if digest ~= '' then
  local own = generation[digest]
  local known = redis.call('HEXISTS', apiKeys, digest) == 1
  if not known and redis.call('ZSCORE', revoked, digest) then
    status = 'revoked'
  elseif own and known then
    status = 'brought'
    if first == '1' and own == newest then retireAfterMs = 0 end
  elseif own then
    if newerIsUsed(own, first == '1' and 0 or graceMs) then
      status = 'replaced'
    else
      bring()
      status = 'brought'
    end
  elseif known and adopt ~= '1' then
    status = 'known'
  else
    bring()
    status = 'brought'
    retireAfterMs = 0
  end
end

if status == 'brought' then
  announced[digest] = true
  redis.call('HSET', gatewayKeys, me, digest)
  redis.call('PEXPIRE', gatewayKeys, 60000)
  redis.call('HSET', seen, digest, now)
  for other, its in pairs(generation) do
    local used = announced[other] or now - tonumber(redis.call('HGET', seen, other) or 0) < retireAfterMs
    if its < generation[digest] and not used then
      redis.call('HDEL', seen, other)
      local text = redis.call('HGET', apiKeys, other)
      if text then
        redis.call('HDEL', apiKeys, other)
        -- Written by a gateway at its start: no user has a word in it.
        local ok, old = pcall(cjson.decode, text)
        if ok and type(old.keyId) == 'string' then
          redis.call('HDEL', ids, old.keyId)
          redis.call('HDEL', uses, old.keyId)
          redis.call('PUBLISH', channel, 'revoked ' .. redis.call('INCR', revision) .. ' ' .. old.keyId)
        end
      end
    end
  end
else
  redis.call('HDEL', gatewayKeys, me)
end
redis.call('PUBLISH', channel, 'beat ' .. (redis.call('GET', revision) or '0') .. ' ' .. me .. ' ' .. number)
return status
