#!lua flags=allow-oom
-- Say that a worker runs a task, unless another does: from here on the worker's index answers for it.
-- KEYS: task inbox holds intermediate running job rq_worker
-- ARGV: id worker node now job_fields...
-- Returns the fields of the task; nil when it is settled, cancelled or another's.
-- Errors: GONE when the worker has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. worker .. ' has been declared dead')
end
redis.call('LREM', intermediate, 1, id)
local runs = redis.call('HGET', task, 'worker')
if not runs or (runs ~= '' and runs ~= worker) then
  return false
end
redis.call('HSET', task, 'worker', worker, 'node', node)
redis.call('SADD', holds, 'task ' .. id)
redis.call('ZADD', running, '+inf', id .. ':' .. worker)
redis.call('HSET', job, 'status', 'started', 'worker_name', worker, 'started_at', now, unpack(ARGV, job_fields_at))
redis.call('HSET', rq_worker, 'state', 'busy')
return redis.call('HGETALL', task)
