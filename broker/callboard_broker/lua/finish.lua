#!lua flags=allow-oom
-- Make an actor DEAD: its process is gone and every call of it has been answered. Only its record stays.
-- KEYS: record creation mailbox sealed seen attempts carried control rejected holders owner_holds actors dead outbox events
-- ARGV: actor token cause
-- Returns 1, or 0 when the actor is DEAD already or unknown.
-- Errors: FENCED when another incarnation is current, DRAIN when calls are left.
local now = redis.call('HMGET', record, 'state', 'token')
if not now[1] or now[1] == 'DEAD' then
  return 0
end
if now[2] ~= token then
  return redis.error_reply('FENCED actor ' .. actor)
end
if redis.call('XLEN', mailbox) + redis.call('XLEN', sealed) > 0 then
  return redis.error_reply('DRAIN actor ' .. actor .. ' has calls left')
end
local tokens = redis.call('HGET', creation, 'tokens')
if tokens and tokens ~= '' then
  redis.call('XADD', outbox, '*', 'token', 'i:' .. actor, 'targets', tokens)
end
-- What is left here was carried by entries that were set aside.
local left = redis.call('HGETALL', carried)
for i = 1, #left, 2 do
  redis.call('XADD', outbox, '*', 'token', 'm:' .. left[i], 'targets', left[i + 1])
end
local time = redis.call('TIME')
redis.call('DEL', creation, mailbox, sealed, seen, attempts, carried, control, rejected, holders)
redis.call('HSET', record, 'state', 'DEAD', 'death_cause', cause, 'ended_at', time[1])
redis.call('SREM', owner_holds, 'own ' .. actor)
redis.call('SREM', actors, actor)
redis.call('ZADD', dead, time[1], actor)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'dead', 'cause', cause)
return 1
