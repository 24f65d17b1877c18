#!lua flags=allow-oom
-- Say that an incarnation began its graceful end: from here on any death of it is final.
-- KEYS: record events
-- ARGV: actor token cause
-- Returns 1, or 0 when it had begun before.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED actor ' .. actor)
end
if redis.call('HGET', record, 'shutdown_started') == '1' then
  return 0
end
redis.call('HSET', record, 'shutdown_started', 1, 'death_cause', cause)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'ending')
return 1
