#!lua
-- Put a call that carries handles or object references into a mailbox, noting what it carries.
-- KEYS: mailbox carried inbox
-- ARGV: client call tokens fields...
-- Returns the entry id, or nil when there is no such mailbox.
-- Errors: GONE when the caller has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
local entry = redis.call('XADD', mailbox, 'NOMKSTREAM', '*', unpack(ARGV, fields_at))
if entry then
  redis.call('HSET', carried, call, tokens)
end
return entry
