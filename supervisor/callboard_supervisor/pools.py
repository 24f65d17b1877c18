"""Workers for tasks: started when tasks wait and there is room, watched, and worked off when they end.

A worker takes tasks from its queue by itself. What it does is told by its status page: one that runs a task takes room,
one that waits for other tasks or for its next one does not.
"""

from __future__ import annotations

import json
import logging
import signal
import time
from typing import TYPE_CHECKING, Final

from callboard_broker import ids
from callboard_broker.errors import BrokerError, BrokerRefusedError
from callboard_broker.keys import own_queue, queue_name
from callboard_broker.operations import actors, tasks
from callboard_broker.output import TASK
from callboard_broker.page import page_path
from callboard_broker.wire import integer, items, mapping, text
from callboard_supervisor import decisions
from callboard_supervisor.residents import TaskWorker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callboard_broker.packing import Argument
    from callboard_broker.records import NodeRecord
    from callboard_broker.wire import Reply
    from callboard_supervisor.burial import Burial
    from callboard_supervisor.house import House
    from callboard_supervisor.nursery import Spawned, SpawnFailed
    from callboard_supervisor.output import Output
    from callboard_supervisor.process import Exit
    from callboard_supervisor.starting import Starting

_log = logging.getLogger(__name__)

#: Seconds between looks at queues in which tasks wait: for room, or for those that wait for each other.
_LOOK_AGAIN: Final = 0.02
#: Seconds before something that failed is tried again.
_TRY_AGAIN: Final = 0.5


class Pools:
    """See to the workers of this node that run tasks.

    Args:
        house: What the duties share.
        burial: Buries workers, which settles or puts back what they ran.
        starting: Has the actors that wait for room.
        output: Shows what workers write.
    """

    def __init__(self, house: House, burial: Burial, starting: Starting, output: Output) -> None:
        self._house = house
        self._output = output
        self._burial = burial
        self._starting = starting
        self._workers = house.residents.task_workers
        self._requests: dict[int, TaskWorker] = {}
        self._looking = False
        #: Queues whose tasks wait for more room than there is here.
        self._crowded: set[str] = set()

    def serve(self) -> None:
        """Start the workers that queues need and there is room for, and look again as long as tasks wait."""
        house = self._house
        if house.closing:
            return
        known = mapping(self._call("HGETALL", house.keys.pools))
        pools = {queue: json.loads(required) for queue, required in known.items()}
        lengths = house.link.pipeline([("LLEN", house.keys.rq_queue(queue)) for queue in pools])
        waiting = {queue: integer(length) for queue, length in zip(pools, lengths, strict=True) if length}
        self._crowded.clear()
        for queue, count in waiting.items():
            self._start(queue, pools[queue], count)
        if waiting:
            self._look_again()

    def offer(self, others: Iterable[NodeRecord]) -> None:
        """Have nodes with room look at queues for which there is none here."""
        house = self._house
        required = mapping(self._call("HGETALL", house.keys.pools)) if self._crowded else {}
        for queue in self._crowded & set(required):
            for node in others:
                if decisions.fits(json.loads(required[queue]), node.room):
                    signer = house.link.broker.signer("command", node.id)
                    house.link.call(*actors.command_node(house.keys, node.id, signer, "serve", queue))

    def make_room(self) -> None:
        """Ask workers to give way to actors: after their tasks to those that wait, and at once to those that are there.

        Who waits for a task would take one without asking, so only as many do as there is room for beside actors.
        """
        if not self._workers:
            return
        residents, wanted = self._house.residents, self._wanted_by_actors()
        left, left_alone = residents.free, residents.free_of_actors
        decisions.take(left, wanted)
        for worker in self._workers.values():
            if worker.takes_room and any(left.get(name, 0.0) < 0.0 for name in wanted):
                self._ask_to_give_way(worker)
                decisions.give(left, worker.required)
        for worker in self._workers.values():
            if not worker.occupied:
                # Not to other tasks: who leaves for those is soon wanted again, when they wait for tasks of their own.
                if decisions.fits(worker.required, left_alone) and not decisions.fits(worker.required, left):
                    self._ask_to_give_way(worker)
                decisions.take(left, worker.required)
                decisions.take(left_alone, worker.required)

    def awaits(self, request: int) -> bool:
        """Tell whether a request to the fork server was made here."""
        return request in self._requests

    def spawned(self, event: Spawned) -> None:
        """Take note of a worker that began."""
        worker = self._requests.pop(event.request)
        worker.process = event.process
        if self._house.closing:
            self._tell_to_end(worker)

    def failed(self, event: SpawnFailed) -> None:
        """Take note of a worker that could not be begun; it is tried again while tasks wait."""
        worker = self._requests.pop(event.request)
        _log.error("no process for tasks: %s", event.error)
        del self._workers[worker.worker]
        self._house.reactor.after(_TRY_AGAIN, self._serve_when_possible)

    def unanswered(self, requests: Iterable[int]) -> None:
        """Forget workers whose requests died with the fork server, and start what is needed."""
        for request in requests:
            worker = self._requests.pop(request, None)
            if worker is not None:
                del self._workers[worker.worker]
        self._serve_when_possible()

    def exited(self, exit_: Exit) -> None:
        """Work off the death of a worker, if it is one of these."""
        for worker in list(self._workers.values()):
            if worker.process is not None and worker.process.pid == exit_.pid:
                self._work_off(worker, exit_)

    def end(self, name: str) -> None:
        """Kill a worker: its task was cancelled by force."""
        worker = self._workers.get(name)
        if worker is not None and worker.process is not None:
            worker.process.kill_group()

    def job_over(self, client: str) -> None:
        """Have the workers for a driver's tasks leave after their tasks: it is gone. What waits gets new ones."""
        usual = queue_name(self._house.keys.prefix, client[:8], "")
        for worker in self._workers.values():
            if worker.process is not None and f"{worker.queue}-".startswith(f"{usual}-"):
                worker.process.signal(signal.SIGTERM)

    def end_all(self, *, at_once: bool) -> None:
        """Have every worker leave after its task, or at once."""
        for worker in self._workers.values():
            if at_once and worker.process is not None:
                worker.process.kill_group()
            else:
                self._tell_to_end(worker)

    def forget_all(self) -> None:
        """Kill every worker, telling nobody."""
        for worker in list(self._workers.values()):
            if worker.process is not None:
                worker.process.kill_group()
            worker.forget_process()
        self._workers.clear()

    def enforce(self, now: float) -> None:
        """Kill workers whose task takes too long after they were told to end."""
        limit = self._house.config.timing.graceful_timeout
        for worker in self._workers.values():
            if worker.told_to_end and worker.process is not None and now - worker.told_to_end > limit:
                worker.process.kill_group()

    def sweep(self) -> None:
        """Put back tasks that were lost on their way to a worker, and forget queues that nobody uses."""
        for queue in mapping(self._call("HGETALL", self._house.keys.pools)):
            self._put_back(queue)
            self._call(*tasks.close_pool(self._house.keys, queue))
        for name in items(self._call("SMEMBERS", self._house.keys.rq_queues)):
            queue = own_queue(self._house.keys.prefix, text(name))
            if queue:
                self._call(*tasks.close_pool(self._house.keys, queue))
        self.serve()

    def _start(self, queue: str, required: dict[str, float], waiting: int) -> None:
        house = self._house
        workers = [worker for worker in self._workers.values() if worker.queue == queue]
        idle = sum(not worker.occupied for worker in workers)
        told = decisions.Queued(waiting, idle, sum(worker.takes_room for worker in workers), required)
        left = house.residents.free
        decisions.take(left, self._wanted_by_actors())
        wanted = decisions.workers_wanted(told, left, int(house.residents.total.get("CPU", 0)))
        if waiting > idle + wanted:
            self._crowded.add(queue)
        for _ in range(wanted):
            self._fork(queue, required)

    def _wanted_by_actors(self) -> dict[str, float]:
        """Return what waiting actors would take that would have room but for tasks."""
        wanted: dict[str, float] = {}
        room = self._house.residents.free_of_tasks
        for required in self._starting.waiting.values():
            if decisions.fits(required, room):
                decisions.give(wanted, required)
        return wanted

    def _fork(self, queue: str, required: dict[str, float]) -> None:
        house = self._house
        name = ids.new_client_id()
        worker = TaskWorker(name, queue, required, page_path(name, "task"))
        files = self._output.follow(worker, TASK)
        config = house.config.task_worker(name, queue, worker.page_path)
        request = house.nursery.spawn(
            config, files["out"], files["err"], name="callboard-task", entry=house.config.task_entry
        )
        self._workers[name] = worker
        self._requests[request] = worker

    def _look_again(self) -> None:
        if not self._looking:
            self._looking = True
            self._house.reactor.after(_LOOK_AGAIN, self._serve_again)

    def _serve_again(self) -> None:
        self._looking = False
        self._serve_when_possible()

    def _serve_when_possible(self) -> None:
        try:
            self.serve()
        except BrokerError as error:
            _log.warning("queues are looked at again: %s", error)
            self._house.reactor.after(_TRY_AGAIN, self._serve_again)

    def _work_off(self, worker: TaskWorker, exit_: Exit) -> None:
        self._output.finish(worker)
        try:
            self._burial.bury(worker.worker, exit_.describe())
            self._put_back(worker.queue)
        except BrokerError as error:
            house = self._house
            # A callboard that ends with its program may have lost its server already: nobody is left to be told.
            if not (house.closing and house.config.tied):
                _log.warning("the end of worker %s waits for Redis: %s", worker.worker, error)
                house.reactor.after(_TRY_AGAIN, lambda: self._work_off(worker, exit_))
                return
        worker.forget_process()
        self._workers.pop(worker.worker, None)
        self._serve_when_possible()

    def _put_back(self, queue: str) -> None:
        """Put tasks that were taken and not begun back to their queue; those who still begin them are refused then."""
        intermediate = self._house.keys.rq_intermediate(queue)
        for part in items(self._call("LRANGE", intermediate, 0, -1)):
            assert isinstance(part, bytes)
            if not self._requeue(part, queue):
                self._call("LREM", intermediate, 1, part)

    def _requeue(self, part: bytes, queue: str) -> bool:
        """Put a task back unless it has begun; tell whether it is one that had not."""
        keys, task = self._house.keys, part.decode(errors="replace")
        try:
            worker, attempts = items(self._call("HMGET", keys.task(task), "worker", "attempts"))
            waits = worker == b"" and isinstance(attempts, bytes) and attempts.isdigit()
        except BrokerRefusedError as refusal:
            _log.warning("what is called the task %s is none: %s", task, refusal)
            return False
        if waits:
            self._call(*tasks.requeue(keys, task, queue, "", int(text(attempts))))
        return waits

    def _ask_to_give_way(self, worker: TaskWorker) -> None:
        # Once for each task, which a signal may disturb; without one again and again, for as long as it shall rest.
        since = worker.running_since
        if worker.process is not None and worker.page is not None and not (since and since == worker.asked_during):
            worker.asked_during = since
            worker.process.signal(signal.SIGUSR1)

    def _tell_to_end(self, worker: TaskWorker) -> None:
        if worker.process is not None and not worker.told_to_end:
            worker.told_to_end = time.monotonic()
            worker.process.signal(signal.SIGTERM)

    def _call(self, *command: Argument) -> Reply:
        return self._house.link.call(*command)
