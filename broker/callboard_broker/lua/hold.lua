#!lua flags=allow-oom
-- Note that a client holds an actor or an object, or that one of its messages will carry it.
-- KEYS: record holders inbox holds
-- ARGV: client holder member
-- Returns 1, or 0 when the thing is gone or ending: there is nothing to hold then.
-- Errors: GONE when the client has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
local now = redis.call('HMGET', record, 'state', 'sealed')
if not now[1] or now[1] == 'DEAD' or (now[2] and now[2] ~= '') then
  return 0
end
redis.call('HSET', holders, holder, client)
redis.call('SADD', holds, member)
return 1
