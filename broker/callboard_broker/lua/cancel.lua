#!lua flags=allow-oom
-- Take a call back: remove it from its mailbox, and tell the worker, which may have it in hand.
-- KEYS: record mailbox sealed attempts carried outbox control inbox
-- ARGV: entry call number outcome body recall
-- With `recall`, the worker is told first to take back what the call has called.
-- Returns 1; 2 when a worker may have the call in hand, and will say that it has heard; 0 when the call had been settled
-- before, perhaps by this script. In any case its outcome is in the inbox.
if redis.call('XDEL', mailbox, entry) + redis.call('XDEL', sealed, entry) == 0 then
  return 0
end
local carries = redis.call('HGET', carried, call)
if carries then
  redis.call('XADD', outbox, '*', 'token', 'm:' .. call, 'targets', carries)
  redis.call('HDEL', carried, call)
end
redis.call('HDEL', attempts, call)
redis.call('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)
if recall ~= '' then
  redis.call('XADD', control, 'MAXLEN', '~', '1000', '*', 'op', recall, 'call', call, 'number', number)
end
redis.call('XADD', control, 'MAXLEN', '~', '1000', '*', 'op', 'cancel', 'call', call, 'number', number)
if redis.call('HGET', record, 'state') == 'ALIVE' then
  return 2
end
return 1
