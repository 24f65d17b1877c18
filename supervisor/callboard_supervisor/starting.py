"""Starting actors: placing what is requested, forking the process of each incarnation."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from callboard_broker import ids
from callboard_broker.errors import BrokerRefusedError
from callboard_broker.operations import actors
from callboard_broker.page import page_path
from callboard_broker.records import State
from callboard_broker.wire import integer, items
from callboard_supervisor import decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from callboard_broker.deaths import DeathCause
    from callboard_broker.records import ActorRecord, NodeRecord
    from callboard_supervisor.house import House
    from callboard_supervisor.nursery import Spawned, SpawnFailed
    from callboard_supervisor.output import Output
    from callboard_supervisor.residents import Resident

_log = logging.getLogger(__name__)

#: Seconds between looks at whether a predecessor is gone or a failed fork may be tried again.
_LOOK_AGAIN: Final = 0.02


class Starting:
    """Place and start actors.

    Args:
        house: What the duties share.
        output: Shows what processes write.
        end: Makes an actor DEAD that has no process here.
    """

    def __init__(self, house: House, output: Output, end: Callable[[ActorRecord, DeathCause], None]) -> None:
        self._house = house
        self._output = output
        self._end = end
        self._requests: dict[int, tuple[Resident, float]] = {}
        #: Actors that were read from the requests and have no room yet, and what they require.
        self.waiting: dict[str, dict[str, float]] = {}
        #: Has tasks give way to those that wait.
        self.make_room: Callable[[], None] = lambda: None

    def place(self, actor: str) -> None:
        """Start an actor that nobody runs, or keep it waiting for room, or end it if it need not start any more."""
        house = self._house
        record = house.link.actor(actor)
        if record is None or record.state == State.DEAD or record.node or actor in house.residents.by_actor:
            self.waiting.pop(actor, None)
            return
        if record.state == State.DEPENDENCIES_UNREADY and not record.sealed:
            return
        cause = self.unneeded(record)
        if cause is not None:
            self.waiting.pop(actor, None)
            self._end(record, cause)
            return
        if house.closing:
            house.link.call(*actors.request(house.keys, "place", actor))
            return
        if self._predecessor_lives(record):
            house.reactor.after(_LOOK_AGAIN, lambda: self.place(actor))
            return
        if not house.residents.room_for(record.required):
            self._wait_for_room(record)
            return
        self.waiting.pop(actor, None)
        restarting = record.state == State.RESTARTING
        if not self.begin(record, State.RESTARTING if restarting else State.PENDING_CREATION, restarts=0):
            # It was killed, or taken, since it was read.
            self.place(actor)

    def place_waiting(self) -> None:
        """Try again what waits, if there is room for it now, and have tasks give way to actors.

        What else may happen to an actor that waits is asked for by whoever brings it about.
        """
        house = self._house
        refused: list[dict[str, float]] = []
        for actor, required in list(self.waiting.items()):
            if house.closing or (required not in refused and house.residents.room_for(required)):
                self.place(actor)
            elif required not in refused:
                refused.append(required)
        self.make_room()

    def keep_waiting(self, actors_without_node: Container[str]) -> None:
        """Forget those that waited here, and were ended or placed by somebody else."""
        self.waiting = {actor: needed for actor, needed in self.waiting.items() if actor in actors_without_node}

    def offer_waiting(self, others: list[NodeRecord]) -> None:
        """Hand what waits for room to nodes that have it, and what is too large for this one to where it can wait."""
        house = self._house
        for actor, required in list(self.waiting.items()):
            taker = next((node for node in others if decisions.fits(required, node.room)), None)
            if taker is None and not decisions.fits(required, house.residents.total):
                taker = next((node for node in others if decisions.fits(required, node.capacity)), None)
            if taker is not None:
                del self.waiting[actor]
                signer = house.link.broker.signer("command", taker.id)
                house.link.call(*actors.command_node(house.keys, taker.id, signer, "place", actor))

    def begin(self, record: ActorRecord, state: State, *, restarts: int, delay: float = 0.0) -> bool:
        """Begin a new incarnation here, forking its process after a delay.

        Returns:
            False when the record is not up to date: the actor was killed, or somebody else was faster.
        """
        house = self._house
        token = ids.new_token()
        command = actors.start(
            house.keys,
            record,
            token=token,
            node=house.node,
            where=("host", house.config.host, *self._output.place(record)),
            state=state,
            restarts=restarts,
        )
        try:
            number = integer(items(house.link.call(*command))[0])
        except BrokerRefusedError as refusal:
            if not str(refusal).startswith(("FENCED", "DEAD", "UNKNOWN")):
                raise
            house.residents.dismiss(record.actor_id)
            return False
        resident = house.residents.admit(record)
        resident.token = token
        resident.graceful_timeout = record.graceful_ms / 1000 or house.config.timing.graceful_timeout
        if delay:
            house.reactor.after(delay, lambda: self._fork(resident, record, token, number))
        else:
            self._fork(resident, record, token, number)
        return True

    def forking(self, resident: Resident) -> bool:
        """Tell whether a resident's process has been asked for and is not known yet."""
        return any(waiting is resident for waiting, _ in self._requests.values())

    def spawned(self, event: Spawned) -> Resident:
        """Take note of a process that began; return its resident."""
        resident, began = self._requests.pop(event.request)
        resident.process = event.process
        resident.started_at = began
        return resident

    def failed(self, event: SpawnFailed) -> Resident:
        """Take note of a process that could not be begun; return its resident."""
        resident, _ = self._requests.pop(event.request)
        _log.error("no process for actor %s: %s", resident.actor, event.error)
        return resident

    def unanswered(self, requests: tuple[int, ...]) -> None:
        """Ask again for processes whose requests died with the fork server."""
        for request in requests:
            if request in self._requests:
                resident, _ = self._requests.pop(request)
                self.fork(resident)

    def fork(self, resident: Resident) -> None:
        """Try again to fork a resident's process, if it still needs one."""
        record = self._house.link.actor(resident.actor)
        if record is not None and record.token == resident.token and resident.process is None:
            self._fork(resident, record, record.token, record.incarnation)

    def release(self, record: ActorRecord) -> None:
        """Begin an incarnation that belongs to no node: whoever places the actor next begins its own."""
        keys, token = self._house.keys, ids.new_token()
        where = ("host", "")
        begun = actors.start(keys, record, token=token, node="", where=where, state=State.RESTARTING, restarts=1)
        self._house.link.call(*begun)

    def _fork(self, resident: Resident, record: ActorRecord, token: str, number: int) -> None:
        house = self._house
        if house.residents.by_actor.get(resident.actor) is not resident or resident.token != token:
            return
        page = page_path(resident.actor, token)
        files = self._output.follow(resident, record.class_name)
        config, entry = house.config.worker(resident.actor, token, number, page), house.config.entry_of(record)
        request = house.nursery.spawn(config, files["out"], files["err"], name=record.class_name, entry=entry)
        self._requests[request] = (resident, time.monotonic())

    def unneeded(self, record: ActorRecord) -> DeathCause | None:
        """Return why an actor that has no process needs none any more; None when it is to be started."""
        left = integer(self._house.link.call("XLEN", self._house.keys.sealed(record.actor_id)))
        return decisions.need_not_start(record, left)

    def _predecessor_lives(self, record: ActorRecord) -> bool:
        if not record.predecessor:
            return False
        before = self._house.link.actor(record.predecessor)
        return before is not None and before.state != State.DEAD

    def _wait_for_room(self, record: ActorRecord) -> None:
        house = self._house
        actor, first = record.actor_id, record.required not in self.waiting.values()
        self.waiting[actor] = record.required
        if first:
            # At once, before another task begins; for more of the kind it is soon enough with the next look.
            self.make_room()
        reason = decisions.waiting_reason(record.required, house.residents.total)
        if record.pending_reason != reason:
            house.link.call("HSET", house.keys.actor(actor), "pending_reason", reason)
