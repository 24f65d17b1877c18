#!lua flags=allow-oom
-- End an actor now: seal its mailbox and void its incarnation, so that nothing of the old process counts any more.
-- KEYS: record mailbox sealed requests events
-- ARGV: actor token reason cause
-- Returns {state, node} from before; state is '' when there is no such actor, and DEAD or killed need no more care.
local now = redis.call('HMGET', record, 'state', 'node', 'sealed', 'voided')
if not now[1] then
  return { '', '' }
end
if now[1] == 'DEAD' or now[4] == '1' then
  return { 'DEAD', now[2] }
end
if now[3] == '' and redis.call('EXISTS', mailbox) == 1 then
  redis.call('RENAME', mailbox, sealed)
end
redis.call('HSET', record, 'sealed', reason, 'token', token, 'voided', 1, 'death_cause', cause)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'killed', 'reason', reason)
if now[2] == '' then
  redis.call('XADD', requests, '*', 'op', 'look', 'actor', actor)
end
return { now[1], now[2] }
