"""Faults of the other processes: supervisors, fork servers, callers, and whole nodes."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

import psutil
from chaos.nemesis.fault import Fault
from chaos.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from chaos.nemesis.fault import Strike
    from chaos.node import Node
    from chaos.theatre import Theatre

__all__ = ["CALLERS", "FORSAKEN", "HOST_CUT_OFF", "NODE_CUT_OFF", "NODE_FROZEN", "SUPERVISORS", "TAKEN_OVER"]

#: Seconds in which a new supervisor must have control of all actors.
_CONTROL: Final = 5.0
#: Seconds in which the actors of a lost node must be elsewhere.
_MOVED: Final = 20.0
#: Seconds in which somebody that was replaced must have noticed and ended.
_GONE: Final = 20.0


@contextlib.contextmanager
def _supervisor_killed(theatre: Theatre) -> Iterator[int]:
    """Kill a supervisor; another begins in its place when this heals."""
    node = theatre.chance.choice(theatre.nodes)
    node.kill()
    try:
        yield 1
    finally:
        node.start()


@contextlib.contextmanager
def _supervisor_replaced(theatre: Theatre) -> Iterator[int]:
    """Kill the supervisor and start another: it must have all actors within a bound, and restart none."""
    (node,) = theatre.nodes
    before = {name: record["node"] for name, record in theatre.actors().items()}
    node.kill()
    threading.Event().wait(theatre.chance.uniform(0, 1))
    node.start()

    def taken_over() -> bool:
        return all(record["node"] != before[name] for name, record in theatre.actors().items())

    wait_until(taken_over, what="a new supervisor to have control", timeout=_CONTROL)
    yield 1


@contextlib.contextmanager
def _supervisors_gone(theatre: Theatre) -> Iterator[int]:
    """Kill the supervisors and start no others until every worker has ended by itself."""
    workers = theatre.workers()
    for node in theatre.nodes:
        node.kill()
    try:
        wait_until(lambda: not theatre.workers(), what="workers to end that nobody looks after", timeout=_GONE)
        yield len(workers)
    finally:
        for node in theatre.nodes:
            node.start()


@contextlib.contextmanager
def _fork_server_killed(theatre: Theatre) -> Iterator[int]:
    server = theatre.chance.choice(theatre.nodes).fork_server()
    if server is not None:
        server.kill()
    yield int(server is not None)


@contextlib.contextmanager
def _frozen(processes: Iterable[psutil.Process]) -> Iterator[int]:
    """Stop processes, and continue them."""
    stopped = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            stopped.append(process)
    try:
        yield len(stopped)
    finally:
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@contextlib.contextmanager
def _supervisor_stopped(theatre: Theatre) -> Iterator[int]:
    with _frozen([psutil.Process(theatre.chance.choice(theatre.nodes).pid)]) as hit:
        yield hit


@contextlib.contextmanager
def _caller_stopped(theatre: Theatre) -> Iterator[int]:
    callers = theatre.callers()
    with _frozen([theatre.chance.choice(callers)] if callers else []) as hit:
        yield hit


@contextlib.contextmanager
def _caller_killed(theatre: Theatre) -> Iterator[int]:
    """Kill a caller with its calls open; another one comes when this heals."""
    theatre.expel_caller()
    try:
        yield 1
    finally:
        theatre.admit_caller()


@contextlib.contextmanager
def _cut_off(theatre: Theatre, node: Node) -> Iterator[int]:
    """Let nothing pass between a node and the server, and then all that has been held up."""
    link = theatre.links[1 + theatre.nodes.index(node)]
    hit = link.tell("freeze")
    try:
        yield hit
    finally:
        link.tell("flow")


@contextlib.contextmanager
def _unplugged(theatre: Theatre, node: Node) -> Iterator[int]:
    """Let nothing pass between a node's host and the others; what was on its way is sent again, or never."""
    with theatre.hosts[theatre.nodes.index(node)].unplugged():
        yield 1


def _lost(how: Callable[[Theatre, Node], AbstractContextManager[int]]) -> Strike:
    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        yield _lose_node(theatre, how)

    return strike


def _lose_node(theatre: Theatre, how: Callable[[Theatre, Node], AbstractContextManager[int]]) -> int:
    """Keep a node away until its actors run elsewhere; then let it come back: it must end by itself."""
    theatre.revive()
    homes = {record["node"] for record in theatre.actors().values()}
    nodes = {theatre.node_id(node): node for node in theatre.nodes}
    lost = theatre.chance.choice(sorted(homes & nodes.keys()))
    node = nodes[lost]

    def moved() -> bool:
        # The other one may have been taken for lost just before.
        theatre.revive(node)
        return all(record["node"] not in {lost, ""} for record in theatre.actors().values())

    everybody = node.everybody()
    with how(theatre, node) as hit:
        wait_until(moved, what="the actors of a lost node to be elsewhere", timeout=_MOVED)
    wait_until(
        lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everybody),
        what="the processes of a lost node to end by themselves",
        timeout=_GONE,
    )
    node.start()
    return hit


SUPERVISORS: Final = (
    Fault("supervisor killed", _supervisor_killed, (0.0, 10.0)),
    Fault("fork server killed", _fork_server_killed),
    Fault("supervisor stopped", _supervisor_stopped, (0.1, 3.0)),
)
CALLERS: Final = (
    Fault("caller killed", _caller_killed),
    Fault("caller stopped", _caller_stopped, (0.1, 3.0)),
)
FORSAKEN: Final = (Fault("no supervisor", _supervisors_gone),)
TAKEN_OVER: Final = (Fault("supervisor replaced", _supervisor_replaced),)
NODE_FROZEN: Final = (Fault("node frozen", _lost(lambda _, node: _frozen(node.everybody()))),)
NODE_CUT_OFF: Final = (Fault("node cut off", _lost(_cut_off)),)
HOST_CUT_OFF: Final = (Fault("host cut off", _lost(_unplugged)),)
