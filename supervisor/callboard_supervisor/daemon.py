"""The supervisor: wires the duties to one loop, and ends them in order."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from callboard_broker.errors import BrokerError
from callboard_supervisor.caretaker import Caretaker
from callboard_supervisor.duties import forsaken
from callboard_supervisor.duties.asked import Asked
from callboard_supervisor.duties.clients import ClientWatch
from callboard_supervisor.duties.grace import Grace
from callboard_supervisor.duties.janitor import Janitor
from callboard_supervisor.duties.nodes import Nodes
from callboard_supervisor.duties.order import Order
from callboard_supervisor.duties.papers import Papers
from callboard_supervisor.duties.shelves import Shelves
from callboard_supervisor.house import House
from callboard_supervisor.link import Link
from callboard_supervisor.liveness import Observer
from callboard_supervisor.output import Output

if TYPE_CHECKING:
    from callboard_supervisor.config import Config

_log = logging.getLogger(__name__)

#: Environment variables that workers, and what they start, must not inherit: the key reaches them by a socket.
_SECRETS: Final = ("CALLBOARD_KEY", "CALLBOARD_KEY_FILE")
#: One that would give RQ other keys than those that callboard makes.
_MISLEADING: Final = ("RQ_KEY_PREFIX",)
#: Seconds between looks at whether all actors have left.
_CLOSING_LOOK: Final = 0.01


class Daemon:
    """A node's supervisor."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._house = House(config, Link(config.broker, f"supervisor:{config.node}"))
        self._output = Output(self._house)
        self._caretaker = Caretaker(self._house, self._output)
        observer = Observer()
        self._clients = ClientWatch(self._house, self._caretaker.burial, observer, self._caretaker.pools)
        self._asked = Asked(self._house, self._caretaker, self._clients, self._output)
        self._nodes = Nodes(self._house, self._caretaker, observer, self._expelled)
        self._janitor = Janitor(self._house, self._caretaker, self._asked)
        self._order = Order(self._house)
        self._papers = Papers(self._house)
        self._shelves = Shelves(self._house, config.segments) if config.segments else None
        self._grace = Grace(self._house, self._caretaker.pools)
        self._exit_code = 0
        #: When Redis was last there while this node was closing, on the monotonic clock.
        self._reached_at = 0.0

    def run(self, notify_fd: int | None = None) -> int:
        """Serve until told to end; return the exit code.

        Args:
            notify_fd: Gets a line once this node serves.
        """
        house, timing = self._house, self._config.timing
        environ = {name: value for name, value in os.environ.items() if name not in (*_SECRETS, *_MISLEADING)}
        house.nursery.start(self._config.entry, self._config.preload, environ)
        house.reactor.watch(house.nursery.fileno(), self._caretaker.hear)
        for number in (signal.SIGTERM, signal.SIGINT):
            house.reactor.on_signal(number, self.close)
        house.reactor.on_signal(signal.SIGCHLD, self._caretaker.reap)
        self._output.start()
        if self._shelves:
            self._shelves.open()
        self._nodes.register()
        self._nodes.beat()
        self._sweep()
        self._asked.start()
        house.reactor.every(timing.beat_interval, self._beat)
        house.reactor.every(timing.beat_interval, self._sweep)
        house.reactor.every(timing.beat_interval, self._asked.check)
        house.reactor.every(min(0.5, timing.graceful_timeout / 5), self._grace.sweep)
        house.reactor.every(self._papers.interval, self._papers.sweep)
        house.reactor.every(forsaken.INTERVAL, self._sweep_the_forsaken)
        house.reactor.every(0.1, self._caretaker.starting.place_waiting)
        if self._config.tied:
            house.reactor.watch(sys.stdin.fileno(), self._untied)
        if notify_fd is not None:
            os.write(notify_fd, b"ready\n")
            os.close(notify_fd)
        house.reactor.run()
        self._end()
        return self._exit_code

    def close(self) -> None:
        """Begin to end: every actor of this node leaves; those that may be restarted are left to others."""
        house = self._house
        if house.closing:
            return
        _log.info("node %s is closing", house.node)
        house.closing = True
        self._reached_at = time.monotonic()
        self._end_actors()

    def _end_actors(self) -> None:
        house = self._house
        try:
            self._caretaker.end_all()
        except BrokerError as error:
            _log.warning("Redis is gone, actors are killed without ceremony: %s", error)
            self._kill_all()
        if self._out_of_reach():
            _log.warning("Redis does not come back: what is left to say of actors is left to the next supervisor")
            self._kill_all()
        if house.residents.by_actor or house.residents.task_workers:
            house.reactor.after(_CLOSING_LOOK, self._end_actors)
        else:
            house.reactor.stop()

    def _out_of_reach(self) -> bool:
        """Tell whether Redis is not waited for any more."""
        now = time.monotonic()
        if not self._house.link.lost:
            self._reached_at = now
        # A server that ends with its program does not come back.
        patience = 0.0 if self._config.tied else self._config.timing.heartbeat_timeout
        return now - self._reached_at > patience

    def _untied(self) -> None:
        """End with the program that this callboard was made for."""
        self._house.reactor.unwatch(sys.stdin.fileno())
        try:
            self._house.link.call("PING")
        except BrokerError:
            # It died, and its server with it: there is nobody left to tell anything to.
            self._kill_all()
            self._house.reactor.stop()
            return
        self.close()

    def _kill_all(self) -> None:
        for resident in list(self._house.residents.by_actor.values()):
            if resident.process is not None:
                resident.process.kill_group()
            resident.forget_process()
            self._house.residents.dismiss(resident.actor)
        self._caretaker.pools.forget_all()

    def _expelled(self) -> None:
        _log.error("this node was declared lost and others took over its actors: it ends")
        self._kill_all()
        self._exit_code = 1
        self._house.reactor.stop()

    def _beat(self) -> None:
        try:
            self._nodes.beat()
        except BrokerError as error:
            _log.warning("no heartbeat: %s", error)

    def _sweep(self) -> None:
        try:
            self._order.sweep()
            self._clients.sweep()
            self._nodes.sweep()
            self._janitor.sweep()
            self._caretaker.pools.sweep()
            if self._shelves:
                self._shelves.sweep()
        except BrokerError as error:
            _log.warning("sweeping waits: %s", error)

    def _sweep_the_forsaken(self) -> None:
        segments = self._config.segments
        forsaken.sweep(keep={segments.root.name} if segments else ())

    def _end(self) -> None:
        house = self._house
        house.closing = True
        self._asked.stop()
        self._clients.stop()
        try:
            self._nodes.deregister()
        except BrokerError as error:
            _log.info("the node stays in the registry until another strikes it off: %s", error)
        self._output.stop()
        if self._shelves:
            self._shelves.close()
        house.nursery.stop()
        house.link.close()
        house.reactor.close()
