"""Ends: what follows when an actor's process has ended, or when an actor is to end without one."""

from __future__ import annotations

import logging
import random
import signal
import time
from typing import TYPE_CHECKING, Final

from callboard_broker import ids, verdicts
from callboard_broker.deaths import SEALED_DIED, SEALED_OWNER_DIED
from callboard_broker.errors import BrokerError, BrokerRefusedError, BrokerUnreachableError
from callboard_broker.operations import actors, clients
from callboard_broker.page import Started
from callboard_broker.records import State
from callboard_supervisor import decisions
from callboard_supervisor.decisions import STABLE, Ended
from callboard_supervisor.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_broker.deaths import DeathCause
    from callboard_broker.records import ActorRecord
    from callboard_supervisor.burial import Burial
    from callboard_supervisor.house import House
    from callboard_supervisor.output import Output
    from callboard_supervisor.process import Exit
    from callboard_supervisor.residents import Resident

_log = logging.getLogger(__name__)

#: Looks at whether the server still lists a dead worker's connection, and seconds between them.
_LOOKS: Final = 50
_BETWEEN_LOOKS: Final = 0.001
_NOTHING_STARTED: Final = Started((0, 0), ())


class Endings:
    """Work off ends.

    Args:
        house: What the duties share.
        burial: Buries the worker as a client of others.
        output: Shows what processes have written.
        restart: Begins a new incarnation after a delay.
    """

    def __init__(
        self, house: House, burial: Burial, output: Output, restart: Callable[[ActorRecord, float], None]
    ) -> None:
        self._house = house
        self._output = output
        self._burial = burial
        self._restart = restart
        self._settling = Settling(house.link)

    def process_ended(self, resident: Resident, exit_: Exit) -> None:
        """Work off the death of a resident's process, once everything it had sent has been executed."""
        resident.ending = True
        self._output.finish(resident)
        page = resident.look_at_page()
        connection = page.connection_id if page else 0
        self._when_unlisted(connection, _LOOKS, lambda: self._work_off(resident, exit_))

    def end(self, record: ActorRecord, cause: DeathCause) -> None:
        """Make an actor DEAD that has no process: void it if need be, answer what is left, free its name."""
        if not record.sealed:
            self.void(record, cause)
        self._drain(record.actor_id, cause)

    def void(self, record: ActorRecord, cause: DeathCause) -> None:
        """End an actor for a cause, unless it was killed before: what its process still does does not count."""
        house = self._house
        house.link.call(*actors.kill(house.keys, record.actor_id, ids.new_token(), cause, SEALED_DIED))

    def tell_to_end(self, resident: Resident) -> None:
        """Have a resident run its hook and leave; it is killed when that takes too long."""
        if resident.process is not None and not resident.told_to_end:
            resident.told_to_end = time.monotonic()
            resident.process.signal(signal.SIGTERM)

    def drain_now(self, record: ActorRecord) -> None:
        """Answer the calls of an actor that is ending while its process still runs."""
        if not self._settling.drain(record, verdicts.cause_of(record)):
            self._house.reactor.after(0, lambda: self.drain_now(record))

    def _when_unlisted(self, connection: int, looks: int, then: Callable[[], None]) -> None:
        if connection and looks and self._listed(connection):
            self._house.reactor.after(_BETWEEN_LOOKS, lambda: self._when_unlisted(connection, looks - 1, then))
        else:
            then()

    def _listed(self, connection: int) -> bool:
        try:
            return bool(self._house.link.call("CLIENT", "LIST", "ID", connection))
        except BrokerRefusedError:
            # Not everybody may ask; then what the process sent last may count as not sent.
            return False
        except BrokerUnreachableError:
            return True

    def _work_off(self, resident: Resident, exit_: Exit) -> None:
        try:
            self._decide(resident, exit_)
        except BrokerError as error:
            _log.warning("the end of actor %s waits for Redis: %s", resident.actor, error)
            self._house.reactor.after(0.5, lambda: self._work_off(resident, exit_))

    def _decide(self, resident: Resident, exit_: Exit) -> None:
        house = self._house
        page = resident.look_at_page()
        note = page.note if page else ""
        started = page.started_entries() if page else _NOTHING_STARTED
        self._settling.send_journal(resident.left_unsent())
        record = house.link.actor(resident.actor)
        voided = record is not None and record.voided
        # Of a process that was killed on purpose the purpose tells more than how it took it.
        words = verdicts.cause_of(record).message if record is not None and voided else note or exit_.describe()
        self._burial.bury(ids.worker_client_id(resident.actor, resident.token), words)
        if record is None or record.state == State.DEAD:
            self._dismiss(resident)
            return
        if record.token != resident.token and not voided:
            # The next incarnation has begun: of another node, or of this one, which was not told so and will look.
            self._dismiss(resident)
            return
        lost = bool(record.host) and record.host != house.config.host
        if lost:
            started = self._settling.delivered(record)
        ended = Ended(note or exit_.describe(), resident.timed_out, resident.graceful_timeout, lost)
        cause = decisions.death_of(record, ended)
        if cause is None:
            self._settling.charge_started(record, started, ended.words)
            quick = time.monotonic() - resident.started_at < STABLE
            resident.quick_crashes = resident.quick_crashes + 1 if quick else 1
            delay = decisions.restart_delay(resident.quick_crashes, random.random())  # noqa: S311 - no secret
            resident.forget_process()
            resident.ending = False
            self._restart(record, delay)
            return
        if not record.voided and not record.sealed:
            self.void(record, cause)
        resident.forget_process()
        self._drain(record.actor_id, cause)

    def _drain(self, actor: str, cause: DeathCause) -> None:
        """Answer what is left batch by batch, seeing to others in between; then make the actor DEAD."""
        house = self._house
        try:
            record = house.link.actor(actor)
            if record is None or record.state == State.DEAD:
                house.residents.dismiss(actor)
                return
            if not self._settling.drain(record, cause):
                house.reactor.after(0, lambda: self._drain(actor, cause))
                return
            self._finish(record, cause)
        except BrokerError as error:
            _log.warning("the end of actor %s is not complete yet: %s", actor, error)
            house.reactor.after(0.2, lambda: self._drain(actor, cause))

    def _finish(self, record: ActorRecord, cause: DeathCause) -> None:
        house = self._house
        commands = [clients.undefine(house.keys, record.definition, f"a:{record.actor_id}")]
        if record.name:
            commands.append(actors.release_name(house.keys, record.namespace, record.name, record.actor_id))
        house.link.pipeline(commands)
        house.link.call(*actors.finish(house.keys, record, cause))
        resident = house.residents.by_actor.get(record.actor_id)
        if resident is not None:
            self._dismiss(resident)

    def _dismiss(self, resident: Resident) -> None:
        resident.forget_process()
        self._house.residents.dismiss(resident.actor)

    def graceful(self, record: ActorRecord) -> bool:
        """Tell whether an actor is to run its hook because its owner ended normally."""
        return record.sealed == SEALED_OWNER_DIED and not record.voided
