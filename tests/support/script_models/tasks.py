"""Models of the scripts about tasks, which are jobs of RQ."""

import math

from tests.support.script_models.things import (
    Answer,
    Hash,
    Scores,
    Stream,
    hand_over,
    must_be_lender,
    must_live,
    pairs,
    take_back,
)

__all__ = ["begin_task", "close_pool", "requeue_task", "settle_task", "submit_task", "yield_task"]


def submit_task(
    task: Hash,
    inbox: Stream,
    client_record: Hash,
    users: set[str],
    job: Hash,
    queue: list[str],
    queue_key: str,
    queues: set[str],
    pools: Hash,
    requests: Stream,
    id_: str,
    number: str,
    queue_name: str,
    required: str,
    task_fields: str,
    task_and_job: list[str],
) -> int:
    """Have a task wait in a queue, unless its client has submitted it, or later ones, before."""
    must_live(inbox)
    if int(number) <= int(client_record.get("tasks", "0")):
        return 0
    client_record["tasks"] = number
    task.update(pairs(task_and_job[: int(task_fields)]))
    job.update(pairs(task_and_job[int(task_fields) :]))
    users.add(f"t:{id_}")
    queues.add(queue_key)
    pools[queue_name] = required
    if not queue:
        requests.add(op="serve", queue=queue_name)
    queue.append(id_)
    return 1


def begin_task(
    task: Hash,
    inbox: Stream,
    holds: set[str],
    intermediate: list[str],
    running: Scores,
    job: Hash,
    rq_worker: Hash,
    id_: str,
    worker: str,
    node: str,
    now: str,
    job_fields: list[str],
) -> Answer:
    """Have a living worker run a task that nobody else runs; it is no longer on its way in any case."""
    must_live(inbox)
    if id_ in intermediate:
        intermediate.remove(id_)
    if not task or task["worker"] not in {"", worker}:
        return None
    task.update(worker=worker, node=node)
    holds.add(f"task {id_}")
    running[f"{id_}:{worker}"] = math.inf
    job.update(status="started", worker_name=worker, started_at=now, **pairs(job_fields))
    rq_worker["state"] = "busy"
    return dict(task)


def requeue_task(
    task: Hash,
    job: Hash,
    queue: list[str],
    intermediate: list[str],
    running: Scores,
    holds: set[str],
    requests: Stream,
    id_: str,
    worker: str,
    attempts: str,
    queue_name: str,
) -> int:
    """Have a task that a worker ran, or that was on its way to one, be the next of its queue."""
    if task.get("worker") != worker:
        return 0
    if id_ in intermediate:
        intermediate.remove(id_)
    elif not worker:
        return 0
    task.update(worker="", node="", attempts=attempts)
    job.update(status="queued", worker_name="")
    running.pop(f"{id_}:{worker}", None)
    holds.discard(f"task {id_}")
    queue.insert(0, id_)
    requests.add(op="serve", queue=queue_name)
    return 1


def yield_task(
    task: Hash,
    outbox: Stream,
    worker_inbox: Stream,
    worker_holds: set[str],
    inbox: Stream,
    index: set[str],
    worker: str,
    id_: str,
    tokens: str,
    outcome: str,
    body: str,
) -> int:
    """Give an item of a task that still is the worker's; else what it carries is released."""
    must_be_lender(worker_inbox, tokens)
    given = inbox.offer(outcome, body) if task.get("worker") == worker else None
    take_back(id_, tokens, worker_holds)
    hand_over(id_, tokens, index if given else None, outbox)
    return int(bool(given))


def settle_task(
    task: Hash,
    inbox: Stream,
    caller_holds: set[str],
    outbox: Stream,
    worker_inbox: Stream,
    holds: set[str],
    definition: Hash,
    users: set[str],
    job: Hash,
    queue: list[str],
    running: Scores,
    ended: Scores,
    rq_worker: Hash,
    id_: str,
    call: str,
    worker: str,
    tokens: str,
    outcome: str,
    body: str,
    rq_status: str,
    now: str,
    expiry: str,
    ttl: str,
    kept: str,
    jobs: dict[str, Hash],
) -> Answer:
    """Settle a task that is that worker's: it goes, its outcome is given, and RQ's books say how it ended."""
    must_be_lender(worker_inbox, tokens)
    lent = take_back(call, tokens, holds)
    if not task or worker not in {"*", task["worker"]}:
        # It was cancelled while it ran, or this has been done before.
        hand_over(call, tokens if lent else "", None, outbox)
        return None
    before: Answer = [task["worker"], task["node"]]
    given = inbox.offer(outcome, body) if outcome else None
    hand_over(call, tokens, caller_holds if given else None, outbox)
    if task["carried"]:
        outbox.add(token=f"t:{id_}", targets=task["carried"])
    users.discard(f"t:{id_}")
    if not users:
        definition.clear()
    holds.discard(f"task {id_}")
    running.pop(f"{id_}:{task['worker']}", None)
    task.clear()
    if not rq_status:
        if id_ in queue:
            queue.remove(id_)
        job.clear()
        return before
    job.update(status=rq_status, ended_at=now)
    ended[id_] = float(expiry)
    job.ttl = ended.ttl = int(ttl)
    for oldest in ended.lowest(len(ended) - int(kept)):
        del ended[oldest]
        jobs[oldest].clear()
    if rq_worker:
        counter = f"{'failed' if rq_status == 'failed' else 'successful'}_job_count"
        rq_worker.update({"state": "idle", counter: str(int(rq_worker.get(counter, "0")) + 1)})
    return before


def close_pool(
    pools: Hash,
    queue: list[str],
    queue_key: str,
    intermediate: list[str],
    running: Scores,
    workers: set[str],
    finished: Scores,
    failed: Scores,
    queues: set[str],
    queue_name: str,
) -> int:
    """Forget a queue that is not in use; RQ's tools show it as long as there is anything to show of it."""
    if queue or intermediate or running or workers:
        return 0
    pools.pop(queue_name, None)
    if not finished and not failed:
        queues.discard(queue_key)
    return 1
