"""Watching clients: those of this host by their pidfds, the others by their heartbeats."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from callboard_broker import ids
from callboard_broker.errors import BrokerError
from callboard_broker.records import ActorRecord, ClientRecord, State
from callboard_broker.wire import mapping
from callboard_supervisor.process import Process

if TYPE_CHECKING:
    from callboard_supervisor.burial import Burial
    from callboard_supervisor.house import House
    from callboard_supervisor.liveness import Observer
    from callboard_supervisor.pools import Pools

_log = logging.getLogger(__name__)


class ClientWatch:
    """Bury clients that are gone.

    Args:
        house: What the duties share.
        burial: Buries them.
        observer: Judges heartbeats.
        pools: Told that a driver is gone.
    """

    def __init__(self, house: House, burial: Burial, observer: Observer, pools: Pools) -> None:
        self._house = house
        self._burial = burial
        self._observer = observer
        self._pools = pools
        self._processes: dict[str, Process] = {}

    def watch(self, client: str) -> None:
        """Watch a client's process from now on, if it is one of this host."""
        if client in self._processes:
            return
        record = self._record(client)
        if record is not None:
            self._judge(record)

    def left(self, client: str) -> None:
        """Bury a client that said goodbye."""
        self._forget(client)
        self._bury(client, "normal")

    def sweep(self) -> None:
        """Judge every client, but for the workers that this node watches as its actors."""
        link = self._house.link
        watched = {
            ids.worker_client_id(resident.actor, resident.token)
            for resident in self._house.residents.by_actor.values()
            if resident.process is not None
        }
        names = [name for name in link.members(link.keys.clients) if name not in watched]
        replies = link.pipeline([("HGETALL", link.keys.client(name)) for name in names])
        for name, reply in zip(names, replies, strict=True):
            stored = mapping(reply)
            if not stored:
                link.call("SREM", link.keys.clients, name)
            else:
                self._judge(ClientRecord.decode(stored))

    def stop(self) -> None:
        """Stop watching."""
        for client in list(self._processes):
            self._forget(client)

    def _bury(self, client: str, how: str) -> None:
        self._burial.bury(client, how)
        self._pools.job_over(client)

    def _judge(self, record: ClientRecord) -> None:
        client = record.id
        if record.gone:
            self._bury(client, record.gone)
        elif client in self._house.residents.task_workers:
            # Its end is told by the fork server; one whose supervisor is gone is watched like a driver.
            return
        elif record.actor:
            self._judge_worker(record)
        elif record.host == self._house.config.host:
            self._watch_process(record)
        elif self._observer.still_for(f"client {client}", record.beat) > self._house.config.timing.heartbeat_timeout:
            self._observer.forget(f"client {client}")
            self._bury(client, f"no heartbeat for {self._house.config.timing.heartbeat_timeout:g} s")

    def _judge_worker(self, record: ClientRecord) -> None:
        # A worker is watched with its actor. What is left is one whose incarnation is over and whose supervisor died
        # before it could bury it.
        resident = self._house.residents.by_actor.get(record.actor)
        if resident is not None and (resident.ending or record.id.endswith(resident.token)):
            return
        stored = mapping(self._house.link.call("HGETALL", self._house.keys.actor(record.actor)))
        actor = ActorRecord.decode(stored)
        current = record.id == f"{record.actor}.{actor.token}"
        if not stored or actor.state == State.DEAD or (not current and not actor.voided):
            self._bury(record.id, "its incarnation is over")

    def _watch_process(self, record: ClientRecord) -> None:
        client = record.id
        if client in self._processes:
            return
        process = Process.adopt(record.pid, record.start_time)
        if process is None:
            self._bury(client, "its process is gone")
            return
        self._processes[client] = process
        self._house.reactor.watch(process.fileno(), lambda: self._process_ended(client))

    def _process_ended(self, client: str) -> None:
        self._forget(client)
        try:
            self._bury(client, "its process died")
        except BrokerError as error:
            _log.warning("client %s is buried at the next sweep: %s", client, error)

    def _forget(self, client: str) -> None:
        process = self._processes.pop(client, None)
        if process is not None:
            self._house.reactor.unwatch(process.fileno())
            process.close()

    def _record(self, client: str) -> ClientRecord | None:
        stored = mapping(self._house.link.call("HGETALL", self._house.keys.client(client)))
        return ClientRecord.decode(stored) if stored else None
