#!lua flags=allow-oom
-- Begin a new incarnation of an actor, provided that the current one is the expected one.
-- KEYS: record mailbox sealed events
-- ARGV: actor expected token node state restarts fields...
-- The state is that of the time until it serves; restarts (0 or 1) are added to those used.
-- Returns {incarnation, last entry id}: every call up to that id was submitted before the new incarnation began.
-- Errors: FENCED when another incarnation is current, UNKNOWN when there is no such actor, DEAD when it is.
local now = redis.call('HMGET', record, 'token', 'state', 'incarnation', 'group', 'last_id', 'sealed')
if not now[2] then
  return redis.error_reply('UNKNOWN actor ' .. actor)
end
if now[2] == 'DEAD' then
  return redis.error_reply('DEAD actor ' .. actor)
end
if now[1] == token then
  return { tonumber(now[3]), now[5] }
end
if now[1] ~= expected then
  return redis.error_reply('FENCED actor ' .. actor .. ' is at incarnation ' .. now[3])
end
local stream = mailbox
if now[6] ~= '' then
  stream = sealed
end
-- Somebody may have deleted the stream, or put something else in its place: it begins anew.
local kind = redis.call('TYPE', stream).ok
if kind == 'stream' then
  redis.call('XGROUP', 'DESTROY', stream, now[4])
elseif kind ~= 'none' then
  redis.call('DEL', stream)
end
redis.call('XGROUP', 'CREATE', stream, token, '0', 'MKSTREAM')
local info = redis.call('XINFO', 'STREAM', stream)
local last = '0-0'
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    last = info[i + 1]
  end
end
redis.call('HINCRBY', record, 'num_restarts', restarts)
local number = redis.call('HINCRBY', record, 'incarnation', 1)
redis.call('HSET', record, 'token', token, 'group', token, 'node', node, 'state', state, 'last_id', last, 'pid', 0,
  'started', 0, unpack(ARGV, fields_at))
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', string.lower(state), 'node', node,
  'incarnation', number)
return { number, last }
