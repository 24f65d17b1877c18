#!lua flags=allow-oom
-- Give a connection that reads an inbox a group of its own, so that nothing is lost with a reply that never came.
-- KEYS: inbox
-- ARGV: group last
-- Returns OK. The new group delivers what comes after the entry id `last`; those of connections before it go.
-- Errors: GONE when the client has been declared dead, or somebody has put something else in the inbox's place.
if redis.call('TYPE', inbox).ok ~= 'stream' then
  return redis.error_reply('GONE ' .. inbox .. ' is no inbox')
end
for _, found in ipairs(redis.call('XINFO', 'GROUPS', inbox)) do
  redis.call('XGROUP', 'DESTROY', inbox, found[2])
end
return redis.call('XGROUP', 'CREATE', inbox, group, last)
