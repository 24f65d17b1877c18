"""The loop: descriptors, timers and signals, with a clock that the test moves."""

import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from callboard_supervisor.reactor import REST_AFTER_FAILURE, Reactor


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The reactor's clock."""
    return Clock()


@pytest.fixture
def reactor(clock: Clock) -> Iterator[Reactor]:
    """A reactor with that clock."""
    reactor = Reactor(clock)
    yield reactor
    reactor.close()
    reactor.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe with a byte in it."""
    reader, writer = os.pipe()
    os.write(writer, b"!")
    yield reader, writer
    os.close(reader)
    os.close(writer)


def broken() -> None:
    """Fail."""
    raise LookupError("fails on purpose")


def test_timers_fire_in_order(reactor: Reactor, clock: Clock) -> None:
    """Each at its time and once, equal times in the order of their making."""
    called: list[str] = []
    reactor.after(2, lambda: called.append("late"))
    reactor.after(1, lambda: called.append("first"))
    reactor.after(1, lambda: called.append("second"))
    reactor.turn(0)
    assert called == []
    clock.now += 1
    reactor.turn(0)
    assert called == ["first", "second"]
    clock.now += 10
    reactor.turn(0)
    reactor.turn(0)
    assert called == ["first", "second", "late"]


def test_repeated_timers_do_not_burst(reactor: Reactor, clock: Clock) -> None:
    """They keep their beat, and what was missed is not made up for."""
    called: list[float] = []
    reactor.every(1, lambda: called.append(clock.now))
    for now in (100.5, 101.1, 101.9, 102.0, 107.5, 107.6, 108.5):
        clock.now = now
        reactor.turn(0)
    assert called == [101.1, 102.0, 107.5, 108.5]


def test_a_cancelled_timer_is_silent(reactor: Reactor, clock: Clock) -> None:
    """Also when it is cancelled by itself, or by another that is due at the same time."""
    called: list[str] = []

    def once() -> None:
        called.append("itself")
        itself.cancel()
        other.cancel()

    itself = reactor.every(1, once)
    other = reactor.after(1, lambda: called.append("other"))
    for _ in range(3):
        clock.now += 1
        reactor.turn(0)
    assert called == ["itself"]


def test_a_timer_of_a_timer_waits_for_the_next_turn(reactor: Reactor) -> None:
    """A callback that plans itself for now does not lock everybody else out."""
    called: list[int] = []

    def again() -> None:
        called.append(1)
        reactor.after(0, again)

    reactor.after(0, again)
    reactor.turn(0)
    reactor.turn(0)
    assert len(called) == 2


def test_descriptors_are_watched_until_they_are_not(reactor: Reactor, pipe: tuple[int, int]) -> None:
    """A readable descriptor calls back each turn, the last callback given; afterwards none."""
    called: list[str] = []
    reactor.watch(pipe[0], lambda: called.append("old"))
    reactor.watch(pipe[0], lambda: called.append("new"))
    reactor.turn(0)
    reactor.turn(0)
    reactor.unwatch(pipe[0])
    reactor.unwatch(pipe[0])
    reactor.turn(0)
    assert called == ["new", "new"]


def test_a_callback_may_unwatch_another(reactor: Reactor, pipe: tuple[int, int]) -> None:
    """Whoever was unwatched in this turn is not called in it any more."""
    second = os.dup(pipe[0])
    called: list[int] = []

    def unwatch_both() -> None:
        called.append(1)
        reactor.unwatch(pipe[0])
        reactor.unwatch(second)

    reactor.watch(pipe[0], unwatch_both)
    reactor.watch(second, unwatch_both)
    reactor.turn(0)
    os.close(second)
    assert len(called) == 1


def test_a_hang_up_calls_back(reactor: Reactor) -> None:
    """The other end's death is news, too."""
    reader, writer = os.pipe()
    called: list[int] = []
    reactor.watch(reader, lambda: called.append(1))
    os.close(writer)
    reactor.turn(0)
    os.close(reader)
    assert called == [1]


def test_a_failure_stops_nobody(
    reactor: Reactor, clock: Clock, pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback; the others go on, and so does its own timer."""
    called: list[str] = []
    second = os.dup(pipe[0])
    reactor.watch(pipe[0], broken)
    reactor.watch(second, lambda: called.append("descriptor"))
    reactor.every(1, broken)
    reactor.every(1, lambda: called.append("timer"))
    clock.now += 1
    with caplog.at_level(logging.ERROR):
        reactor.turn(0)
    os.close(second)
    assert sorted(called) == ["descriptor", "timer"]
    assert len(caplog.records) == 2
    assert "LookupError: fails on purpose" in caplog.text


def test_a_broken_callback_rests(
    reactor: Reactor, clock: Clock, pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """A descriptor that stays readable fails ten times a second, not as fast as the machine can."""
    reactor.watch(pipe[0], broken)
    for _ in range(5):
        reactor.turn(0)
    assert len(caplog.records) == 1
    clock.now += REST_AFTER_FAILURE
    reactor.turn(0)
    reactor.turn(0)
    assert len(caplog.records) == 2
    reactor.unwatch(pipe[0])
    clock.now += REST_AFTER_FAILURE
    reactor.turn(0)
    reactor.turn(0)
    assert len(caplog.records) == 2


def test_a_closed_descriptor_is_dropped(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever forgot to unwatch it is told, once."""
    reader, writer = os.pipe()
    reactor.watch(reader, broken)
    os.close(reader)
    os.close(writer)
    reactor.turn(0)
    reactor.turn(0)
    assert [record.getMessage() for record in caplog.records] == [
        f"descriptor {reader} was closed while it was watched"
    ]


def test_signals_act_in_the_loop(reactor: Reactor) -> None:
    """The handler only notes them; what was before comes back at the end."""
    before = signal.getsignal(signal.SIGUSR1)
    called: list[str] = []
    reactor.on_signal(signal.SIGUSR1, lambda: called.append("one"))
    reactor.on_signal(signal.SIGUSR2, broken)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        signal.raise_signal(number)
    assert called == []
    reactor.turn(10)
    assert called == ["one"]
    reactor.close()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_signal_ends_the_waiting(reactor: Reactor) -> None:
    """The loop does not sleep over a signal, whatever it waits for."""
    reactor.on_signal(signal.SIGUSR1, reactor.stop)
    killer = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
    reactor.after(0, killer.start)
    reactor.run()
    killer.join()


def test_stop_is_heard_from_another_thread(reactor: Reactor) -> None:
    """It wakes the loop; a stop that came first is kept."""
    stopper = threading.Thread(target=reactor.stop)
    reactor.after(0, stopper.start)
    reactor.run()
    stopper.join()
    reactor.run()


def test_a_clock_that_is_real() -> None:
    """With no clock given, time passes by itself."""
    reactor = Reactor()
    reactor.after(0.02, reactor.stop)
    reactor.run()
    reactor.close()
