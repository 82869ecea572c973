-- Stands before what may make deliveries due. What is due now stays due, whatever becomes of subscriptions.
-- `subscribers`: sets of endpoints; `hook`: whether there is a webhook of its own; `listeners`: whether somebody listens to the tenant's events
local function due(subscribers, hook, listeners)
  local to = redis.call('SUNION', unpack(subscribers))
  if hook then to[#to + 1] = 'own' end
  if redis.call('EXISTS', listeners) == 1 then to[#to + 1] = 'stream' end
  return to
end
