#!lua flags=allow-oom
-- Free a name, provided that the actor still bears it.
-- KEYS: name
-- ARGV: actor
-- Returns 1 when the name was freed.
if redis.call('GET', name) == actor then
  return redis.call('DEL', name)
end
return 0
