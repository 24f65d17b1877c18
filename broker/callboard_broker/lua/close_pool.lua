#!lua flags=allow-oom
-- Forget a queue that has neither tasks nor workers.
-- KEYS: pools queue intermediate running workers finished failed queues
-- ARGV: queue_name
-- Returns 1, or 0 when it is still in use. RQ's tools show it as long as something of what ended is shown.
if redis.call('EXISTS', queue, intermediate, running, workers) > 0 then
  return 0
end
redis.call('HDEL', pools, queue_name)
if redis.call('EXISTS', finished, failed) == 0 then
  redis.call('SREM', queues, queue)
end
return 1
