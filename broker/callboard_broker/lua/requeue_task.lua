#!lua flags=allow-oom
-- Put a task back to the front of its queue: its worker died, or ('') died before it began.
-- KEYS: task job queue intermediate running holds requests
-- ARGV: id worker attempts queue_name
-- Returns 1, or 0 when the task is settled, or is not that worker's (any more), or, for '', is not on its way to one.
if redis.call('HGET', task, 'worker') ~= worker then
  return 0
end
if redis.call('LREM', intermediate, 1, id) == 0 and worker == '' then
  return 0
end
redis.call('HSET', task, 'worker', '', 'node', '', 'attempts', attempts)
redis.call('HSET', job, 'status', 'queued', 'worker_name', '')
redis.call('ZREM', running, id .. ':' .. worker)
redis.call('SREM', holds, 'task ' .. id)
redis.call('LPUSH', queue, id)
redis.call('XADD', requests, '*', 'op', 'serve', 'queue', queue_name)
return 1
