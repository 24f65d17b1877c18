#!lua
-- Hand an actor that has been created, and has its name by now, to the nodes.
-- KEYS: record requests inbox holds
-- ARGV: actor client predecessor
-- Returns 1, or 0 when the actor is already placed, DEAD or unknown. One that is ending may have calls to run before.
-- Errors: GONE when the creator has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
local state = redis.call('HGET', record, 'state')
if state ~= 'DEPENDENCIES_UNREADY' then
  return 0
end
redis.call('HSET', record, 'state', 'PENDING_CREATION', 'predecessor', predecessor)
if redis.call('HGET', record, 'detached') == '1' then
  redis.call('SREM', holds, 'own ' .. actor)
end
redis.call('XADD', requests, '*', 'op', 'place', 'actor', actor)
return 1
