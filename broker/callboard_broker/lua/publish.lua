#!lua
-- Publish an object of a client, first perhaps without its value, so that others can hold it and wait for it.
-- KEYS: object holders waiters inbox holds
-- ARGV: client ref fields...
-- Returns the clients that wait for the value; they are told by their inboxes.
-- Errors: GONE when the client has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
if redis.call('EXISTS', object) == 0 then
  redis.call('HSET', holders, 'c:' .. client, client)
  redis.call('SADD', holds, 'object ' .. ref)
end
redis.call('HSET', object, unpack(ARGV, fields_at))
if redis.call('HGET', object, 'state') ~= 'READY' then
  return {}
end
return redis.call('SMEMBERS', waiters)
