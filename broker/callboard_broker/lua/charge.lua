#!lua flags=allow-oom
-- Note how often calls have been charged. Values are absolute, so a repeated request changes nothing.
-- KEYS: record attempts
-- ARGV: token calls_and_charges...
-- Returns the number of calls that were charged for the first time.
-- Errors: FENCED when another incarnation is current.
if redis.call('HGET', record, 'token') ~= token then
  return redis.error_reply('FENCED another incarnation is current')
end
return redis.call('HSET', attempts, unpack(ARGV, calls_and_charges_at))
