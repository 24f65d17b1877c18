#!lua flags=allow-oom
-- Register a client: its record, its inbox and its place in the index. An inbox that exists is left as it is.
-- KEYS: client inbox clients
-- ARGV: id fields...
-- Returns 1 when the client is new, 0 when it was registered already.
-- Errors: GONE when this client has been declared dead.
if (redis.call('HGET', client, 'gone') or '') ~= '' then
  return redis.error_reply('GONE client ' .. id .. ' has been declared dead')
end
if redis.call('EXISTS', inbox) == 1 then
  return 0
end
redis.call('HSET', client, unpack(ARGV, fields_at))
-- An empty stream exists until it is deleted, and existing is what says that the client lives.
redis.call('XADD', inbox, '0-1', 'id', '-')
redis.call('XDEL', inbox, '0-1')
redis.call('SADD', clients, id)
return 1
