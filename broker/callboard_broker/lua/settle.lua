#!lua flags=allow-oom
-- Settle calls: remove each from its mailbox and, if that removed it, give its outcome to its caller.
-- KEYS: record mailbox sealed seen attempts carried outbox worker worker_holds inboxes...
-- ARGV: token seen_fields fields_and_items...
-- An item is seven values: entry id, index of the caller's inbox among the inboxes (0: tell nobody), flags (c: the call
-- carries tokens, a: it has been charged), call id, tokens that the outcome carries, its sealed head, body. The key after
-- the inbox of an outcome with tokens is its caller's index, which answers for these tokens from here on; the index of
-- the worker, which lent them, does no longer. The fields before the items are callers and what the ledger is to say of
-- each, unless none of its calls was removed: then it may know more.
-- Returns the number of calls settled.
-- Errors: FENCED when another incarnation is current, or when there are tokens and the worker has been declared dead:
-- what it lent has been released then.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
local first = fields_and_items_at + tonumber(seen_fields)
for i = first, #ARGV, 7 do
  if ARGV[i + 4] ~= '' and redis.call('EXISTS', worker) == 0 then
    return redis.error_reply('FENCED the worker has been declared dead')
  end
end
-- Refused when somebody has put something else in the ledger's place, before anything is changed.
redis.call('HLEN', seen)
local done, settled_of = 0, {}
for i = first, #ARGV, 7 do
  local entry, inbox, flags, call, tokens = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local caller, lent = string.match(call, '(.*)/') or '', 0
  for target in string.gmatch(tokens, '%S+') do
    lent = lent + redis.call('SREM', worker_holds, 'lent ' .. target .. ' r:' .. call .. ' ' .. caller)
  end
  -- A mailbox is renamed when it is sealed, perhaps since the sender looked.
  if redis.call('XDEL', mailbox, entry) == 1 or redis.call('XDEL', sealed, entry) == 1 then
    done = done + 1
    settled_of[caller] = true
    local delivered = false
    if inbox > 0 then
      -- Protected, so that one broken inbox cannot leave the batch half done.
      delivered = redis.pcall('XADD', KEYS[inboxes_at + inbox - 1], 'NOMKSTREAM', '*', ARGV[i + 5], ARGV[i + 6])
    end
    if tokens ~= '' then
      if type(delivered) == 'string' then
        redis.call('SADD', KEYS[inboxes_at + inbox], 'carry r:' .. call .. ' ' .. tokens)
      else
        redis.call('XADD', outbox, '*', 'token', 'r:' .. call, 'targets', tokens)
      end
    end
    if flags ~= '' then
      local carries = redis.call('HGET', carried, call)
      if carries then
        redis.call('XADD', outbox, '*', 'token', 'm:' .. call, 'targets', carries)
        redis.call('HDEL', carried, call)
      end
      redis.call('HDEL', attempts, call)
    end
  elseif lent > 0 then
    -- Cancelled while it ran. When this script is repeated, the worker's index no longer has it.
    redis.call('XADD', outbox, '*', 'token', 'r:' .. call, 'targets', tokens)
  end
end
for i = fields_and_items_at, first - 1, 2 do
  if settled_of[ARGV[i]] then
    redis.call('HSET', seen, ARGV[i], ARGV[i + 1])
  end
end
return done
