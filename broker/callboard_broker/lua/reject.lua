#!lua flags=allow-oom
-- Set an entry aside that failed verification: it leaves the mailbox, is kept for a look, and counted.
-- KEYS: record mailbox sealed rejected
-- ARGV: token entry reason fields...
-- Returns 1 when the entry was there.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
if redis.call('XDEL', mailbox, entry) == 0 and redis.call('XDEL', sealed, entry) == 0 then
  return 0
end
redis.call('XADD', rejected, 'MAXLEN', '100', '*', 'entry', entry, 'reason', reason, unpack(ARGV, fields_at))
redis.call('HINCRBY', record, 'rejected', 1)
return 1
