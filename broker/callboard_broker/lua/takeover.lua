#!lua flags=allow-oom
-- Give a worker whose connection broke a new group, so that nothing is lost with the reply that never came.
-- KEYS: record mailbox sealed
-- ARGV: actor token group last
-- Returns why the mailbox is sealed, or ''. The new group delivers what comes after the entry id `last`.
-- Errors: FENCED when another incarnation is current.
local now = redis.call('HMGET', record, 'token', 'group', 'sealed')
if now[1] ~= token then
  return redis.error_reply('FENCED actor ' .. actor)
end
local stream = mailbox
if now[3] ~= '' then
  stream = sealed
end
if now[2] ~= group then
  -- Somebody may have deleted the stream, or put something else in its place: it begins anew.
  local kind = redis.call('TYPE', stream).ok
  if kind == 'stream' then
    redis.call('XGROUP', 'DESTROY', stream, now[2])
  elseif kind ~= 'none' then
    redis.call('DEL', stream)
  end
  redis.call('XGROUP', 'CREATE', stream, group, last, 'MKSTREAM')
  redis.call('HSET', record, 'group', group)
end
return now[3]
