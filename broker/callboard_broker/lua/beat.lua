#!lua flags=allow-oom
-- Move a heartbeat counter. Observers judge by their own clocks whether it moves.
-- KEYS: record guard
-- ARGV: fields...
-- Returns the counter. The guard is the key whose existence says that the owner of the record counts as alive; what
-- somebody else has put in its place does not.
-- Errors: GONE when the owner has been declared dead.
local kind = redis.call('TYPE', guard).ok
if kind ~= 'stream' and kind ~= 'hash' then
  return redis.error_reply('GONE ' .. record .. ' has been declared dead')
end
if ARGV[fields_at] then
  redis.call('HSET', record, unpack(ARGV, fields_at))
end
return redis.call('HINCRBY', record, 'beat', 1)
