#!lua flags=allow-oom
-- Tell an actor's worker something about a call that it may have in hand.
-- KEYS: record control
-- ARGV: op call number
-- Returns 1, or 0 when the actor is DEAD or unknown.
local state = redis.call('HGET', record, 'state')
if not state or state == 'DEAD' then
  return 0
end
redis.call('XADD', control, 'MAXLEN', '~', '1000', '*', 'op', op, 'call', call, 'number', number)
return 1
