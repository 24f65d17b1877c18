#!lua
-- Give a caller one item of a call that goes on.
-- KEYS: record mailbox sealed outbox inbox index
-- ARGV: token entry item status tokens mac body
-- Returns 1, or the item's id when nobody waits for it: the call has been cancelled, or its caller is gone.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED')
end
local delivered = false
if #redis.call('XRANGE', mailbox, entry, entry) + #redis.call('XRANGE', sealed, entry, entry) > 0 then
  delivered = redis.call('XADD', inbox, 'NOMKSTREAM', '*', 'id', item, 'status', status, 'tokens', tokens, 'mac', mac,
    'body', body)
end
if tokens ~= '' then
  if delivered then
    redis.call('SADD', index, 'carry r:' .. item .. ' ' .. tokens)
  else
    redis.call('XADD', outbox, '*', 'token', 'r:' .. item, 'targets', tokens)
  end
end
if delivered then
  return 1
end
return item
