#!lua flags=allow-oom
-- Settle calls of one caller that carry nothing: remove them from the mailbox and give their outcomes to the caller, in
-- one entry of its inbox.
-- KEYS: record mailbox sealed seen inbox
-- ARGV: token caller numbers entries_then_outcomes...
-- Behind the entry ids comes, for each of them, the sealed head and the body of its outcome. The numbers are what the
-- ledger is to say of the caller, unless none was removed: then this is an old commit, and the ledger knows more.
-- Returns how many were removed. When it is none, this script had been run before, and nothing is given. When it is
-- less than all, a call was cancelled, and the caller, who knows, drops what is given for it.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
-- Refused when somebody has put something else in the ledger's place, before anything is changed.
redis.call('HLEN', seen)
local first = entries_then_outcomes_at
local count = (#ARGV - first + 1) / 3
local done = redis.call('XDEL', mailbox, unpack(ARGV, first, first + count - 1))
if done < count then
  -- A mailbox is renamed when it is sealed, perhaps since the sender looked.
  done = done + redis.call('XDEL', sealed, unpack(ARGV, first, first + count - 1))
end
if done > 0 then
  redis.call('HSET', seen, caller, numbers)
  -- Protected, so that one broken inbox cannot leave the batch half done.
  redis.pcall('XADD', inbox, 'NOMKSTREAM', '*', unpack(ARGV, first + count))
end
return done
