#!lua flags=allow-oom
-- Release a holder (if one is named); then seal the mailbox when asked to, or when nobody holds the actor any more, and
-- append the entry that ends the actor after the calls before it. A detached actor is sealed only when asked to.
-- KEYS: record mailbox sealed holders index requests events
-- ARGV: actor holder client member force reason entry...
-- A holder is released only if it is the named client's ('': anybody's); the member leaves the index of holdings. Reasons: out_of_scope, terminate, exit_actor, owner_died.
-- Returns the entry's id (0-0 without one) when this request sealed the mailbox, else nil.
if holder ~= '' then
  if client == '' or redis.call('HGET', holders, holder) == client then
    redis.call('HDEL', holders, holder)
  end
  redis.call('SREM', index, member)
end
local now = redis.call('HMGET', record, 'state', 'sealed', 'detached', 'voided')
if not now[1] or now[1] == 'DEAD' then
  return false
end
if now[2] ~= '' then
  -- An end that waits for the calls before it may be under way; an owner's end does not wait.
  if reason == 'owner_died' and now[4] ~= '1' then
    redis.call('HSET', record, 'sealed', reason)
  end
  return false
end
if force == '0' and (now[3] == '1' or redis.call('EXISTS', holders) == 1) then
  return false
end
if redis.call('EXISTS', mailbox) == 1 then
  redis.call('RENAME', mailbox, sealed)
end
redis.call('HSET', record, 'sealed', reason)
redis.call('XADD', events, 'MAXLEN', '~', '10000', '*', 'actor', actor, 'event', 'sealed', 'reason', reason)
if now[1] ~= 'ALIVE' then
  redis.call('XADD', requests, '*', 'op', 'look', 'actor', actor)
end
if not ARGV[entry_at] then
  return '0-0'
end
return redis.call('XADD', sealed, '*', unpack(ARGV, entry_at))
