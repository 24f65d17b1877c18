#!lua
-- Create an actor: record, signed creation, empty mailbox, first holder, index and, when it may be placed at once, a request.
-- KEYS: record creation mailbox holders actors requests users inbox holds events
-- ARGV: actor client detached place creation_fields record_and_creation...
-- Returns 1, or 0 when the actor exists already (a repeated request).
-- Errors: GONE when the creator has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
if redis.call('EXISTS', record) == 1 then
  return 0
end
local split = record_and_creation_at + tonumber(creation_fields)
redis.call('HSET', creation, unpack(ARGV, record_and_creation_at, split - 1))
redis.call('HSET', record, unpack(ARGV, split))
redis.call('XGROUP', 'CREATE', mailbox, 'waiting', '0', 'MKSTREAM')
redis.call('HSET', holders, 'c:' .. client, client)
redis.call('SADD', holds, 'hold ' .. actor)
-- A detached actor is its creator's until it has been placed.
if detached == '0' or place == '0' then
  redis.call('SADD', holds, 'own ' .. actor)
end
redis.call('SADD', users, 'a:' .. actor)
redis.call('SADD', actors, actor)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'created')
if place == '1' then
  redis.call('XADD', requests, '*', 'op', 'place', 'actor', actor)
end
return 1
