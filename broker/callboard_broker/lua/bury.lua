#!lua flags=allow-oom
-- Declare a client dead: from here on no script acts on its behalf. Its holdings are released next, one by one.
-- KEYS: client inbox
-- ARGV: how
-- Returns how the client ended: 'normal' when it said goodbye itself, else the given words; nil when it is unknown.
if redis.call('EXISTS', client) == 0 then
  return false
end
redis.call('DEL', inbox)
redis.call('HSETNX', client, 'gone', how)
if redis.call('HGET', client, 'leaving') == 'normal' then
  return 'normal'
end
return redis.call('HGET', client, 'gone')
