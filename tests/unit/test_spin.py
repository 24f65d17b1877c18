"""When a reader looks again and again for what is about to come, and when it leaves that."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from callboard._spin import Spin


class Machine:
    """A machine on which each look takes 1 us, and giving way as long as it is told."""

    def __init__(self) -> None:
        self.now = 0
        self.yield_ns = 1_000
        self.looks = 0

    def give_way(self) -> None:
        self.now += self.yield_ns

    def ready_at(self, when: int) -> Callable[[], bool]:
        """Return what tells whether so many nanoseconds have passed from now on."""
        begin = self.now

        def ready() -> bool:
            self.looks += 1
            self.now += 1_000
            return self.now - begin >= when

        return ready

    def tries(self, spin: Spin, waits: int, when: int = 1_000_000_000) -> int:
        """Count of so many waits those in which it looks at all."""
        tried = 0
        for _ in range(waits):
            before = self.looks
            spin.until(self.ready_at(when))
            tried += self.looks > before
        return tried


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Have the time, and giving way, be that machine's."""
    made = Machine()
    monkeypatch.setattr(time, "monotonic_ns", lambda: made.now)
    monkeypatch.setattr(os, "sched_yield", made.give_way)
    return made


def test_what_comes_soon_is_found_every_time(machine: Machine) -> None:
    """As long as that goes well, it is tried each time."""
    spin = Spin()
    assert all(spin.until(machine.ready_at(100_000)) for _ in range(100))
    assert machine.looks == 100 * 51


def test_what_comes_late_is_looked_for_seldom(machine: Machine) -> None:
    """Calls that take longer do not cost much more than the wait."""
    assert machine.tries(Spin(), 100_000) < 120


def test_other_threads_leave_it(machine: Machine) -> None:
    """They would keep the main thread from running."""
    spin, found = Spin(), list[bool]()
    thread = threading.Thread(target=lambda: found.append(spin.until(machine.ready_at(0))))
    thread.start()
    thread.join()
    assert (found, machine.looks) == ([False], 0)


def test_a_machine_without_a_free_processor_is_left_alone(machine: Machine) -> None:
    """It shows after few tries, also when the outcome has come meanwhile; and it is tried again some time."""
    spin = Spin()
    machine.yield_ns = 3_000_000
    assert machine.tries(spin, 1_000, when=10_000) <= 4
    assert machine.tries(spin, 1_000, when=10_000) <= 1
    machine.yield_ns = 1_000
    assert machine.tries(spin, 10_000, when=10_000) > 8_000


def test_a_moment_without_a_free_processor_is_soon_forgotten(machine: Machine) -> None:
    """Somebody else has run for once: that is no reason to leave it for long."""
    spin = Spin()
    machine.yield_ns = 3_000_000
    assert not spin.until(machine.ready_at(10_000_000))
    machine.yield_ns = 1_000
    assert machine.tries(spin, 100, when=10_000) > 90


def test_a_processor_that_others_need_is_left_to_them(machine: Machine) -> None:
    """When they have run for most of a wait, sleeping costs no more; and it is tried again some time."""
    spin = Spin()
    machine.yield_ns = 40_000
    assert spin.until(machine.ready_at(60_000))
    assert machine.tries(spin, 1_000, when=60_000) < 12
    machine.yield_ns = 1_000
    assert machine.tries(spin, 10_000, when=60_000) > 8_000


def test_what_has_come_before_the_first_look_is_no_reason_to_look(machine: Machine) -> None:
    """Others have run since it was asked for."""
    assert machine.tries(Spin(), 1_000, when=0) < 12
