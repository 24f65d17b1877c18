#!lua
-- Give a name to an actor unless somebody else bears it. A bearer known to be gone is named as stale and replaced.
-- KEYS: name
-- ARGV: actor stale
-- Returns the actor that bears the name afterwards: the claimant when it succeeded.
local bearer = redis.call('GET', name)
if not bearer or bearer == stale then
  redis.call('SET', name, actor)
  return actor
end
return bearer
