"""The caretaker: looks at actors and does what their records call for; hears of processes that begin and end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker import ids
from callboard_broker.errors import BrokerError
from callboard_broker.operations import actors
from callboard_broker.records import State
from callboard_broker.wire import integer
from callboard_supervisor import decisions
from callboard_supervisor.burial import Burial
from callboard_supervisor.ending import Endings
from callboard_supervisor.nursery import Exited, NurseryDied, Spawned, SpawnFailed
from callboard_supervisor.pools import Pools
from callboard_supervisor.process import Exit, Process
from callboard_supervisor.starting import Starting

if TYPE_CHECKING:
    from callboard_broker.records import ActorRecord
    from callboard_supervisor.house import House
    from callboard_supervisor.output import Output
    from callboard_supervisor.residents import Resident

_log = logging.getLogger(__name__)

#: Seconds before a fork that failed is tried again.
_FORK_AGAIN = 0.5


class Caretaker:
    """See to the actors of this node, and to those that nobody has yet.

    Args:
        house: What the duties share.
        output: Shows what processes write.
    """

    def __init__(self, house: House, output: Output) -> None:
        self._house = house
        self._output = output
        self.burial = Burial(house.link, self.look)
        self.endings = Endings(house, self.burial, output, self._restart)
        self.starting = Starting(house, output, self.endings.end)
        self.pools = Pools(house, self.burial, self.starting, output)
        self.starting.make_room = self.pools.make_room

    def look(self, actor: str) -> None:
        """Do what an actor's record calls for. May be called at any time, for any actor, any number of times."""
        house = self._house
        record = house.link.actor(actor)
        resident = house.residents.by_actor.get(actor)
        if record is None or record.state == State.DEAD:
            if resident is not None and resident.process is not None:
                resident.process.kill_group()
            return
        if resident is None:
            self._look_at_stranger(record)
        elif resident.ending:
            return
        elif resident.process is None:
            self._look_at_unborn(record, resident)
        elif record.token != resident.token:
            resident.process.kill_group()
        elif self.endings.graceful(record):
            self.endings.tell_to_end(resident)
            self.endings.drain_now(record)
        elif record.state != State.ALIVE:
            self._look_at_unborn(record, resident)

    def kill_incarnation(self, worker: str) -> None:
        """Kill the process of an incarnation, given by its id as a client; one that is over is no error."""
        actor, token = ids.incarnation(worker)
        resident = self._house.residents.by_actor.get(actor)
        if resident is not None and resident.process is not None and resident.token == token:
            resident.process.kill_group()

    def hear(self) -> None:
        """Take what the fork server has to tell."""
        for event in self._house.nursery.receive():
            match event:
                case Spawned() if self.pools.awaits(event.request):
                    self.pools.spawned(event)
                case Spawned():
                    self._spawned(event)
                case SpawnFailed() if self.pools.awaits(event.request):
                    self.pools.failed(event)
                case SpawnFailed():
                    resident = self.starting.failed(event)
                    self._house.reactor.after(_FORK_AGAIN, lambda resident=resident: self.starting.fork(resident))  # type: ignore[misc]
                case Exited(exit_):
                    self._exited(exit_)
                case NurseryDied(_, unanswered):
                    self._begin_nursery_again(unanswered)

    def reap(self) -> None:
        """Take the ends of workers whose fork server is gone."""
        self.hear()
        for event in self._house.nursery.reap_orphans():
            self._exited(event.exit)

    def adopt(self, record: ActorRecord) -> None:
        """Take over an actor whose supervisor is gone: with its process if that lives, else as one that died.

        Nothing happens when somebody else has begun to see to it since its record was read.
        """
        house = self._house
        if not integer(house.link.call(*actors.adopt(house.keys, record, house.node))):
            return
        here = record.host == house.config.host and record.pid
        process = Process.adopt(record.pid, record.start_time) if here else None
        resident = house.residents.admit(record)
        resident.token = record.token
        resident.graceful_timeout = record.graceful_ms / 1000 or house.config.timing.graceful_timeout
        resident.process = process
        if process is None and record.node == house.node and not record.pid and self.starting.unneeded(record) is None:
            # It was begun for this node, which was not told so.
            self.starting.fork(resident)
            return
        if process is None:
            self.endings.process_ended(resident, Exit(record.pid))
            return
        self._output.adopt(resident, record)
        house.reactor.watch(process.fileno(), lambda: self._adopted_ended(resident))
        self.look(record.actor_id)

    def end_all(self) -> None:
        """Have every actor and every worker for tasks of this node leave."""
        self.pools.end_all(at_once=self._house.config.tied)
        for resident in list(self._house.residents.by_actor.values()):
            if resident.process is None and not resident.ending and not self.starting.forking(resident):
                self._house.residents.dismiss(resident.actor)
            else:
                self.endings.tell_to_end(resident)

    def _look_at_stranger(self, record: ActorRecord) -> None:
        house = self._house
        if not record.node:
            self.starting.place(record.actor_id)
        elif record.node == house.node:
            self.adopt(record)
        else:
            signer = house.link.broker.signer("command", record.node)
            house.link.call(*actors.command_node(house.keys, record.node, signer, "look", record.actor_id))

    def _look_at_unborn(self, record: ActorRecord, resident: Resident) -> None:
        if record.shutdown_started and resident.process is not None:
            # Its constructor has left, and the process tidies up, for as long as it may.
            return
        cause = self.starting.unneeded(record)
        if cause is None:
            return
        if resident.process is not None or self.starting.forking(resident):
            # It is killed, or will be as soon as it is known, and the actor is DEAD when it is gone.
            self.endings.void(record, cause)
            if resident.process is not None:
                resident.process.kill_group()
            return
        # The fork waits for its delay and never comes.
        self._house.residents.dismiss(resident.actor)
        self.endings.end(record, cause)

    def _spawned(self, event: Spawned) -> None:
        resident = self.starting.spawned(event)
        if self._house.residents.by_actor.get(resident.actor) is not resident:
            # It was dismissed while the fork was under way.
            event.process.kill_group()
            event.process.close()
            return
        if self._house.closing:
            self.endings.tell_to_end(resident)
        self._look_when_possible(resident.actor)

    def _look_when_possible(self, actor: str) -> None:
        # What the fork server tells is told once: nothing of it may be lost with a connection.
        try:
            self.look(actor)
        except BrokerError as error:
            _log.warning("actor %s is looked at again: %s", actor, error)
            self._house.reactor.after(_FORK_AGAIN, lambda: self._look_when_possible(actor))

    def _exited(self, exit_: Exit) -> None:
        self.pools.exited(exit_)
        resident = self._house.residents.by_pid(exit_.pid)
        if resident is not None and not resident.ending:
            self.endings.process_ended(resident, exit_)

    def _adopted_ended(self, resident: Resident) -> None:
        process = resident.process
        if process is not None:
            self._house.reactor.unwatch(process.fileno())
            process.kill_group()
            self._exited(Exit(process.pid))

    def _restart(self, record: ActorRecord, delay: float) -> None:
        house = self._house
        if house.closing or not decisions.fits(record.required, house.residents.total):
            self._hand_over(record)
        elif not self.starting.begin(record, State.RESTARTING, restarts=1, delay=delay):
            self.look(record.actor_id)

    def _hand_over(self, record: ActorRecord) -> None:
        """Leave an actor that may be restarted to another node, or to the next supervisor."""
        house = self._house
        self.starting.release(record)
        house.residents.dismiss(record.actor_id)
        house.link.call(*actors.request(house.keys, "place", record.actor_id))

    def _begin_nursery_again(self, unanswered: tuple[int, ...]) -> None:
        _log.error("the fork server has ended; it is started again, and its workers live on")
        house = self._house
        house.nursery.restart()
        house.reactor.watch(house.nursery.fileno(), self.hear)
        self.reap()
        self.starting.unanswered(unanswered)
        self.pools.unanswered(unanswered)
