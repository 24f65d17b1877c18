#!lua
-- Post a dead letter again, as a call of whoever retries it.
-- KEYS: letters mailbox
-- ARGV: letter fields...
-- Returns the entry id; '' when the letter is gone, perhaps by this script; nil when there is no such mailbox.
if redis.call('EXISTS', mailbox) == 0 then
  return false
end
if redis.call('XDEL', letters, letter) == 0 then
  return ''
end
return redis.call('XADD', mailbox, 'NOMKSTREAM', '*', unpack(ARGV, fields_at))
