#!lua flags=allow-oom
-- Look for an object; when its value is not there yet, wait for it: its owner tells those who wait.
-- KEYS: object waiters owner_inbox
-- ARGV: client
-- Returns the fields of the object, among them state PENDING or READY; nil when it is gone or its owner is.
if redis.call('EXISTS', object) == 0 or redis.call('EXISTS', owner_inbox) == 0 then
  return false
end
if redis.call('HGET', object, 'state') ~= 'READY' then
  redis.call('SADD', waiters, client)
end
return redis.call('HGETALL', object)
