#!lua flags=allow-oom
-- Settle a task: remove it and, if that removed it, give its outcome to its caller and tell RQ's tools how it ended.
-- KEYS: task inbox caller_holds outbox worker_inbox holds definition users job queue running ended rq_worker
-- ARGV: id call worker tokens outcome body rq_status now expiry ttl kept jobs
-- The worker must be the one that runs the task; '*' for whoever that is, or nobody. An empty outcome tells nobody. The job
-- ends as ``finished`` or ``failed``, or is removed (''). Tokens are what the outcome carries.
-- Returns {worker, node} of before, or nil when the task was settled before or is another worker's.
-- Errors: FENCED when there are tokens and the worker has been declared dead: what it lent has been released then.
local lent = 0
if tokens ~= '' then
  if redis.call('EXISTS', worker_inbox) == 0 then
    return redis.error_reply('FENCED the worker has been declared dead')
  end
  for target in string.gmatch(tokens, '%S+') do
    lent = lent + redis.call('SREM', holds, 'lent ' .. target .. ' r:' .. call .. ' ' .. string.match(call, '(.*)/'))
  end
end
local runs, place, carried = unpack(redis.call('HMGET', task, 'worker', 'node', 'carried'))
if not runs or (worker ~= '*' and runs ~= worker) then
  if lent > 0 then
    -- Cancelled while it ran. When this script is repeated, the worker's index no longer has it.
    redis.call('XADD', outbox, '*', 'token', 'r:' .. call, 'targets', tokens)
  end
  return false
end
redis.call('DEL', task)
local delivered = false
if outcome ~= '' then
  delivered = redis.call('XADD', inbox, 'NOMKSTREAM', '*', outcome, body)
end
if tokens ~= '' then
  if type(delivered) == 'string' then
    redis.call('SADD', caller_holds, 'carry r:' .. call .. ' ' .. tokens)
  else
    redis.call('XADD', outbox, '*', 'token', 'r:' .. call, 'targets', tokens)
  end
end
if (carried or '') ~= '' then
  redis.call('XADD', outbox, '*', 'token', 't:' .. id, 'targets', carried)
end
redis.call('SREM', users, 't:' .. id)
if redis.call('EXISTS', users) == 0 then
  redis.call('DEL', definition)
end
redis.call('SREM', holds, 'task ' .. id)
redis.call('ZREM', running, id .. ':' .. runs)
if rq_status == '' then
  redis.call('LREM', queue, 1, id)
  redis.call('DEL', job)
  return { runs, place or '' }
end
redis.call('HSET', job, 'status', rq_status, 'ended_at', now)
redis.call('EXPIRE', job, ttl)
redis.call('ZADD', ended, expiry, id)
redis.call('EXPIRE', ended, ttl)
local surplus = redis.call('ZCARD', ended) - tonumber(kept)
if surplus > 0 then
  local oldest = redis.call('ZPOPMIN', ended, surplus)
  for i = 1, #oldest, 2 do
    redis.call('DEL', jobs .. oldest[i])
  end
end
if redis.call('EXISTS', rq_worker) == 1 then
  redis.call('HINCRBY', rq_worker, rq_status == 'failed' and 'failed_job_count' or 'successful_job_count', 1)
  redis.call('HSET', rq_worker, 'state', 'idle')
end
return { runs, place or '' }
