#!lua flags=allow-oom
-- Declare a client dead: from here on no script acts on its behalf. Its holdings are released next, one by one.
-- KEYS: client inbox
-- ARGV: how
-- Returns how the client ended: 'normal' when it said goodbye itself, else the given words; nil when it is unknown.
local now = redis.call('HMGET', client, 'gone', 'leaving')
if not now[1] then
  return false
end
redis.call('DEL', inbox)
if now[1] == '' then
  now[1] = how
  if now[2] == 'normal' then
    now[1] = 'normal'
  end
  redis.call('HSET', client, 'gone', now[1])
end
return now[1]
