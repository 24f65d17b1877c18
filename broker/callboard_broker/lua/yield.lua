#!lua
-- Give a caller one item of a call that goes on.
-- KEYS: record mailbox sealed outbox worker worker_holds inbox index
-- ARGV: token entry item tokens outcome body
-- Returns 1, or the item's id when nobody waits for it: the call has been cancelled, or its caller is gone.
-- Errors: FENCED when another incarnation is current, or when there are tokens and the worker has been declared dead:
-- what it lent has been released then.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
if tokens ~= '' and redis.call('EXISTS', worker) == 0 then
  return redis.error_reply('FENCED the worker has been declared dead')
end
local delivered = false
if #redis.call('XRANGE', mailbox, entry, entry) + #redis.call('XRANGE', sealed, entry, entry) > 0 then
  -- Protected: what is no inbox any more takes nothing.
  delivered = type(redis.pcall('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)) == 'string'
end
if tokens ~= '' then
  for target in string.gmatch(tokens, '%S+') do
    redis.call('SREM', worker_holds, 'lent ' .. target .. ' r:' .. item .. ' ' .. string.match(item, '(.*)/'))
  end
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
