#!lua flags=allow-oom
-- Answer a call that was submitted while its actor restarts, as long as it does: remove it, tell its caller, and enter
-- it into the ledger. The worker, which reads the ledger when it serves, would answer it in the same way.
-- KEYS: record mailbox sealed seen carried outbox inbox
-- ARGV: token entry caller number call outcome body
-- Returns 1; 0 when the call has been settled, or the actor serves or is at another incarnation.
local now = redis.call('HMGET', record, 'token', 'state')
if now[1] ~= token or now[2] ~= 'RESTARTING' then
  return 0
end
if redis.call('XDEL', mailbox, entry) + redis.call('XDEL', sealed, entry) == 0 then
  return 0
end
redis.call('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)
local carries = redis.call('HGET', carried, call)
if carries then
  redis.call('XADD', outbox, '*', 'token', 'm:' .. call, 'targets', carries)
  redis.call('HDEL', carried, call)
end
-- The low-water mark and, after a bar, the numbers above it; whoever reads it moves the mark.
local finished = redis.call('HGET', seen, caller) or '0'
local joint = string.find(finished, '|', 1, true) and ',' or '|'
redis.call('HSET', seen, caller, finished .. joint .. number)
return 1
