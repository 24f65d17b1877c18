#!lua
-- Publish a class definition and note that a client needs it.
-- KEYS: definition users inbox holds
-- ARGV: client sha fields...
-- Returns 1 when the definition is new.
-- Errors: GONE when the client has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
local new = 1 - redis.call('EXISTS', definition)
if new == 1 then
  redis.call('HSET', definition, unpack(ARGV, fields_at))
end
redis.call('SADD', users, 'c:' .. client)
redis.call('SADD', holds, 'class ' .. sha)
return new
