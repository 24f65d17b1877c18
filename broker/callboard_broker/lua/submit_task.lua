#!lua
-- Submit a task: what is signed, a job that RQ can read, and a request for a worker when the queue was empty.
-- KEYS: task inbox client_record users job queue queues pools requests
-- ARGV: id client number queue_name required task_fields task_and_job...
-- The number counts the tasks of a client, in the order of submission, so that a repeated request is recognised.
-- Returns 1, or 0 when the task has been submitted before.
-- Errors: GONE when the client has been declared dead.
if redis.call('EXISTS', inbox) == 0 then
  return redis.error_reply('GONE client ' .. client .. ' has been declared dead')
end
if tonumber(redis.call('HGET', client_record, 'tasks') or 0) >= tonumber(number) then
  return 0
end
redis.call('HSET', client_record, 'tasks', number)
local split = task_and_job_at + tonumber(task_fields)
redis.call('HSET', task, unpack(ARGV, task_and_job_at, split - 1))
redis.call('HSET', job, unpack(ARGV, split))
redis.call('SADD', users, 't:' .. id)
redis.call('SADD', queues, queue)
redis.call('HSET', pools, queue_name, required)
if redis.call('RPUSH', queue, id) == 1 then
  redis.call('XADD', requests, '*', 'op', 'serve', 'queue', queue_name)
end
return 1
