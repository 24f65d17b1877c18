"""The nodes: this one's record and heartbeat, and the actors of nodes that are lost."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from callboard_broker import host
from callboard_broker.errors import BrokerError, BrokerRefusedError
from callboard_broker.operations import clients
from callboard_broker.records import NodeRecord, State
from callboard_broker.wire import mapping
from callboard_supervisor.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from callboard_supervisor.caretaker import Caretaker
    from callboard_supervisor.house import House
    from callboard_supervisor.link import Sketch
    from callboard_supervisor.liveness import Observer

_log = logging.getLogger(__name__)


class Nodes:
    """Beat for this node, judge the others, and take over what lost ones leave.

    Args:
        house: What the duties share.
        caretaker: Adopts actors.
        observer: Judges heartbeats.
        expelled: Called when others have declared this node lost.
    """

    def __init__(self, house: House, caretaker: Caretaker, observer: Observer, expelled: Callable[[], None]) -> None:
        self._house = house
        self._caretaker = caretaker
        self._observer = observer
        self._expelled = expelled

    def register(self) -> None:
        """Enter this node into the registry."""
        house = self._house
        pid = os.getpid()
        record = NodeRecord(
            id=house.node,
            host=house.config.host,
            hostname=socket.gethostname(),
            pid=pid,
            start_time=host.process_start_time(pid) or 0,
            total=json.dumps(house.residents.total),
            free=json.dumps(house.residents.free),
            log_dir=str(house.config.log_dir.absolute()),
        )
        house.link.pipeline(
            [("HSET", house.keys.node(house.node), *record.encode()), ("SADD", house.keys.nodes, house.node)]
        )

    def deregister(self) -> None:
        """Take this node out of the registry."""
        self._remove(self._house.node)

    def beat(self) -> None:
        """Move this node's counter and say what room it has."""
        house = self._house
        accepted = False
        try:
            house.link.call(
                *clients.beat_node(
                    house.keys,
                    house.node,
                    ("free", json.dumps(house.residents.free), "actors", len(house.residents.by_actor)),
                )
            )
            accepted = True
        except BrokerRefusedError as refusal:
            if refusal.code != "GONE":
                raise
            self._expelled()
        finally:
            self._observer.beat(time.monotonic(), accepted=accepted)

    def sweep(self) -> None:
        """Strike off lost nodes, and take over the actors of nodes that are not in the registry."""
        house = self._house
        others: list[NodeRecord] = []
        for node in house.link.members(house.keys.nodes):
            if node == house.node:
                continue
            stored = mapping(house.link.call("HGETALL", house.keys.node(node)))
            record = NodeRecord.decode(stored)
            if stored and self._lives(record):
                others.append(record)
            else:
                _log.warning("node %s is lost", node)
                self._remove(node)
        known = {house.node, *(node.id for node in others)}
        for sketch in house.link.sketches():
            self._see_to(sketch, known)
        self._caretaker.starting.offer_waiting(others)
        self._caretaker.pools.offer(others)

    def _lives(self, record: NodeRecord) -> bool:
        if record.host == self._house.config.host:
            process = Process.adopt(record.pid, record.start_time)
            if process is None:
                return False
            alive = process.alive()
            process.close()
            return alive
        return self._observer.still_for(f"node {record.id}", record.beat) <= self._house.config.timing.heartbeat_timeout

    def _see_to(self, sketch: Sketch, known: set[str]) -> None:
        try:
            if sketch.node == self._house.node:
                if not self._serves(sketch):
                    self._caretaker.look(sketch.actor)
            elif sketch.node and sketch.node not in known:
                record = self._house.link.actor(sketch.actor)
                if record is not None and record.node == sketch.node:
                    self._caretaker.adopt(record)
        except BrokerError as error:
            _log.warning("actor %s waits for the next sweep: %s", sketch.actor, error)

    def _serves(self, sketch: Sketch) -> bool:
        """Tell whether an actor of this node is as its record says, so that there is nothing to do about it."""
        resident = self._house.residents.by_actor.get(sketch.actor)
        known = resident is not None and resident.process is not None and resident.token == sketch.token
        return known and sketch.state == State.ALIVE and not sketch.sealed

    def _remove(self, node: str) -> None:
        keys = self._house.keys
        self._observer.forget(f"node {node}")
        self._house.link.pipeline([("SREM", keys.nodes, node), ("DEL", keys.node(node), keys.commands(node))])
