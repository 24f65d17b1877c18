#!lua flags=allow-oom
-- Give a caller one item of a task that goes on.
-- KEYS: task outbox worker_inbox worker_holds inbox index
-- ARGV: worker id tokens outcome body
-- Returns 1, or 0 when nobody waits for it any more: the task is settled or another worker's, or the caller is gone.
-- Errors: FENCED when there are tokens and the worker has been declared dead: what it lent has been released then.
if tokens ~= '' and redis.call('EXISTS', worker_inbox) == 0 then
  return redis.error_reply('FENCED the worker has been declared dead')
end
local delivered = false
if redis.call('HGET', task, 'worker') == worker then
  -- Protected: what is no inbox any more takes nothing.
  delivered = type(redis.pcall('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)) == 'string'
end
if tokens ~= '' then
  for target in string.gmatch(tokens, '%S+') do
    redis.call('SREM', worker_holds, 'lent ' .. target .. ' r:' .. id .. ' ' .. string.match(id, '(.*)/'))
  end
  if delivered then
    redis.call('SADD', index, 'carry r:' .. id .. ' ' .. tokens)
  else
    redis.call('XADD', outbox, '*', 'token', 'r:' .. id, 'targets', tokens)
  end
end
return delivered and 1 or 0
