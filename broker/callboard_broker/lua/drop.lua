#!lua flags=allow-oom
-- Release a holder of an object, if it is the named client's ('': anybody's); the last one removes the object.
-- KEYS: object holders waiters index outbox
-- ARGV: ref holder client member
-- Returns 1 when the object was removed.
if client == '' or redis.call('HGET', holders, holder) == client then
  redis.call('HDEL', holders, holder)
end
redis.call('SREM', index, member)
if redis.call('EXISTS', holders) == 1 then
  return 0
end
local tokens = redis.call('HGET', object, 'tokens')
if tokens and tokens ~= '' then
  redis.call('XADD', outbox, '*', 'token', 'o:' .. ref, 'targets', tokens)
end
redis.call('DEL', waiters)
return redis.call('DEL', object)
