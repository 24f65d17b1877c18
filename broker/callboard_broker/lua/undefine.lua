#!lua flags=allow-oom
-- Note that a client or actor no longer needs a class definition; the last one removes it.
-- KEYS: definition users
-- ARGV: user
-- Returns 1 when the definition was removed.
redis.call('SREM', users, user)
if redis.call('EXISTS', users) == 0 then
  return redis.call('DEL', definition)
end
return 0
