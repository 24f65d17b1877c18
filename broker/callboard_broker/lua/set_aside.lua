#!lua flags=allow-oom
-- Set a call aside that has taken its actor's process down too often: it leaves the mailbox for the dead letters, and its
-- caller is told.
-- KEYS: record mailbox sealed seen attempts carried outbox letters inbox events
-- ARGV: token entry caller numbers call outcome body actor letter...
-- The numbers are what the ledger is to say of the caller.
-- Returns 1; 0 when the call has been settled.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
-- Refused when somebody has put something else in the ledger's place, before anything is changed.
redis.call('HLEN', seen)
if redis.call('XDEL', mailbox, entry) + redis.call('XDEL', sealed, entry) == 0 then
  return 0
end
redis.call('HSET', seen, caller, numbers)
redis.call('XADD', letters, '*', 'actor', actor, unpack(ARGV, letter_at))
-- Protected, so that one broken inbox cannot leave it half done.
redis.pcall('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)
local carries = redis.call('HGET', carried, call)
if carries then
  redis.call('XADD', outbox, '*', 'token', 'm:' .. call, 'targets', carries)
  redis.call('HDEL', carried, call)
end
redis.call('HDEL', attempts, call)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'set_aside', 'reason', call)
return 1
