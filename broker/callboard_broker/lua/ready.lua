#!lua flags=allow-oom
-- Say that an incarnation serves: its constructor has run.
-- KEYS: record mailbox sealed events
-- ARGV: actor token fields...
-- Returns {sealed, first, last}: why the mailbox is sealed (or ''), and the range (first, last] of entry ids that were
-- submitted while the actor was restarting.
-- Errors: FENCED when another incarnation is current.
local now = redis.call('HMGET', record, 'token', 'last_id', 'sealed', 'state')
if now[1] ~= token then
  return redis.error_reply('FENCED actor ' .. actor)
end
local stream = mailbox
if now[3] ~= '' then
  stream = sealed
end
-- Somebody may have deleted the stream, or put something else in its place: it begins anew when the worker reads.
local last = '0-0'
if redis.call('TYPE', stream).ok == 'stream' then
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      last = info[i + 1]
    end
  end
end
if now[4] ~= 'ALIVE' then
  redis.call('HSET', record, 'state', 'ALIVE', 'started', 1, unpack(ARGV, fields_at))
  redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'alive')
end
return { now[3], now[2], last }
