#!lua flags=allow-oom
-- Note by which connection a client sends, so that it can be cut off when the client is declared dead.
-- KEYS: client inbox
-- ARGV: id connection
-- Returns 1.
-- Errors: GONE when the client has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. id .. ' has been declared dead')
end
redis.call('HSET', client, 'connection', connection)
return 1
