"""Tasks of a client: calls of remote functions, which run as jobs on queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard._arguments import attach, pack_call
from callboard._result import Queued
from callboard._stream import StreamResult
from callboard_broker import ids, verdicts
from callboard_broker.deaths import STATUS_CANCELLED
from callboard_broker.envelope import Outcome, seal_fields
from callboard_broker.operations import actors, calls, tasks
from callboard_broker.packing import pack
from callboard_broker.records import TaskRecord
from callboard_broker.wire import Reply, ReplyError, items, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callboard._client import Client
    from callboard._definition import Definition
    from callboard._outbound import Unacknowledged
    from callboard._ref import ObjectRef
    from callboard._result import Result
    from callboard._serde import Parcel


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and how.

    Attributes:
        definition: The function.
        name: What it is called where tasks are shown.
        queue: Which workers are to run it.
        required: JSON of the resources that such a worker takes.
        retries: How often it may be run again; -1 for ever.
        opts: JSON of what is rarely set.
    """

    definition: Definition
    name: str
    queue: str
    required: str
    retries: int
    opts: bytes


@dataclass(slots=True, eq=False)
class _Submission:
    """A task that has been made and is not sent yet."""

    call: bytes
    order: Order
    parcel: Parcel
    dependencies: Sequence[ObjectRef[Any]]
    result: Result


class Tasks:
    """Submit and cancel a client's tasks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent = 0
        self._waiting: dict[bytes, _Submission] = {}

    @property
    def waiting(self) -> list[tuple[bytes, Result]]:
        """Return the tasks whose arguments are pending, with their results."""
        return [(call, submission.result) for call, submission in list(self._waiting.items())]

    def submit(self, order: Order, arguments: tuple[Sequence[Any], dict[str, Any]], result: Result) -> str:
        """Submit a task, whose outcome comes to a result; return its id as a call.

        References among the arguments are replaced by their values. While one of them is pending, the task waits here.

        Raises:
            TypeError: An argument cannot be pickled.
        """
        client = self._client
        parcel, dependencies = pack_call(*arguments)
        order.definition.publish(client)
        with client.outbound.lock:
            call = client.calls.next_id()
            client.made_here(result).forcible = True
            result.went = Queued(ids.task_id(call.decode()), order.definition.sha, order.queue)
            if isinstance(result, StreamResult):
                result.begin(call)
            submission = _Submission(call, order, parcel, dependencies, result)
            self._waiting[call] = submission
            self._send_if_ready(submission)
        client.outbound.clean_up()
        for ref in dependencies:
            if not ref._result.done:  # noqa: SLF001
                client.expect(ref, lambda: self._advance(submission))
        return call.decode()

    def cancel(
        self, call: bytes, result: Result, queued: Queued, *, force: bool = False, recursive: bool = False
    ) -> None:
        """Take a task back, unless it has its outcome.

        When this returns, the outcome is there or in the inbox, and what runs will have been interrupted soon.
        """
        client = self._client
        outcome = Outcome(call, STATUS_CANCELLED, b"", verdicts.cancelled(call.decode()))
        with client.outbound.lock:
            waited = self._waiting.pop(call, None)
        if waited is not None:
            result.resolve(outcome.status, outcome.body)
            return
        ending = tasks.Ending("*", outcome, client.broker.seal_outcome(client.id, outcome), "")
        settle = tasks.settle(client.keys, call.decode(), queued.task, queued.function, queued.queue, ending)
        ask = client.outbound.ask
        found = [text(part) for part in items(ask(*settle))]
        if found and found[0]:
            worker, node = found
            if recursive:
                # First, as what is cancelled may end the worker.
                ask(*tasks.tell(client.keys, worker, calls.RECALL, call, 0))
            if force:
                signer = client.broker.signer("command", node)
                ask(*actors.command_node(client.keys, node, signer, "end", worker))
            else:
                ask(*tasks.tell(client.keys, worker, "cancel", call, 0))

    def again(self, call: bytes, queued: Queued) -> list[Unacknowledged]:
        """Return what submits a task once more that the server may have forgotten."""
        lends = self._client.holdings.lending(queued.targets, _token(queued.task), queued.task)
        return [*lends, (queued.command, self._handing_over(queued, call, None))]

    def tell(self, op: str, call: bytes, number: int) -> None:
        """Tell the worker that runs a task something about it, soon; nobody, when none does."""
        client = self._client

        def asked(reply: Reply) -> None:
            worker = None if isinstance(reply, ReplyError) else maybe_text(reply)
            if worker:
                command = tasks.tell(client.keys, worker, op, call, number)
                client.outbound.aftermath.append(lambda: client.outbound.post(command))

        client.outbound.post(("HGET", client.keys.task(ids.task_id(call.decode())), "worker"), asked)
        client.confirm_soon()

    def abandon(self) -> list[Result]:
        """Give up what waits for arguments, and return the results of it."""
        results = [result for _, result in self.waiting]
        self._waiting.clear()
        return results

    def _advance(self, submission: _Submission) -> None:
        client = self._client
        with client.outbound.lock:
            self._send_if_ready(submission)
        client.outbound.clean_up()
        client.inbox.wake()

    def _send_if_ready(self, submission: _Submission) -> None:
        """Send a task unless an argument is pending; the caller holds the lock."""
        call = submission.call
        if call in self._waiting and all(ref._result.done for ref in submission.dependencies):  # noqa: SLF001
            del self._waiting[call]
            self._send(submission)

    def _send(self, submission: _Submission) -> None:
        client, call, order = self._client, submission.call, submission.order
        attached = attach(submission.parcel, submission.dependencies, submission.result)
        if attached is None:
            return
        parcel, targets = attached
        targets = list(dict.fromkeys([*order.definition.parcel.targets, *targets]))
        task = ids.task_id(call.decode())
        told = [
            call, order.definition.sha.encode(), order.name.encode(), b"%d" % order.retries, order.opts,
            order.queue.encode(),
        ]  # fmt: skip
        signed = seal_fields(client.broker.signer("task", task), tasks.SIGNED, told, parcel.body)
        self._sent += 1
        command = tasks.submit(
            client.keys, client.id, task, self._sent, order.required, told,
            (*signed, *TaskRecord(carried=" ".join(targets)).encode()),
        )  # fmt: skip

        packed = pack(command)
        queued = Queued(task, order.definition.sha, order.queue, packed, targets)
        submission.result.went = queued
        client.pending[call] = submission.result
        client.holdings.lend(targets, _token(task), task)
        client.outbound.post_locked(packed, self._handing_over(queued, call, submission))

    def _handing_over(self, queued: Queued, call: bytes, keep: object) -> Callable[[Reply], None]:
        """Return what takes the reply to a submission; it keeps what that carries."""
        client = self._client

        def acknowledged(reply: Reply, _keep: object = keep) -> None:
            refused = isinstance(reply, ReplyError)
            settle = client.holdings.take_back if refused else client.holdings.handed_over
            client.outbound.aftermath.append(lambda: settle(queued.targets, _token(queued.task), queued.task))
            if refused:
                client.outbound.aftermath.append(lambda: client.verdicts.refused(call, str(reply)))

        return acknowledged


def _token(task: str) -> str:
    return f"t:{task}"
