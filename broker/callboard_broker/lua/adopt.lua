#!lua flags=allow-oom
-- Have a node see to an incarnation that nobody sees to, provided that no other node has begun to.
-- KEYS: record
-- ARGV: expected before node
-- Returns 1 when it is the node's now, 0 when another incarnation, or another node than `before`, is current, or the
-- actor is DEAD or unknown.
local now = redis.call('HMGET', record, 'token', 'node', 'state')
if now[1] ~= expected or now[3] == 'DEAD' or (now[2] ~= before and now[2] ~= node) then
  return 0
end
redis.call('HSET', record, 'node', node)
return 1
