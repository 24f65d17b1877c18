"""What to do with an actor: decisions without Redis, processes or time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_broker.deaths import DeathCause, Reason, killed, out_of_scope
from callboard_broker.envelope import Call
from callboard_broker.records import ActorRecord
from callboard_supervisor import decisions
from callboard_supervisor.decisions import Ended, Queued
from callboard_supervisor.liveness import Observer

CRASH = Ended("signal 9 (SIGKILL)")


def a_call(retries: int) -> Call:
    """Make a call with so many retries."""
    return Call(b"1-0", b"me/1", 1, "add", retries, b"", b"")


@given(allowed=st.integers(-1, 5), used=st.integers(0, 8))
def test_r1_a_crash_is_restarted_while_restarts_are_left(allowed: int, used: int) -> None:
    """-1 is for ever; used up, the cause says so in numbers and words."""
    record = ActorRecord(max_restarts=allowed, num_restarts=used, ever_started=True)
    cause = decisions.death_of(record, CRASH)
    if allowed < 0 or used < allowed:
        assert cause is None
    else:
        assert cause is not None
        assert cause.reason is Reason.WORKER_DIED
        assert "signal 9 (SIGKILL)" in cause.message
        if allowed:
            assert f"{used} of {allowed}" in cause.message


def test_k2_a_killed_actor_stays_dead_whatever_its_restarts() -> None:
    """The recorded cause is the cause."""
    record = ActorRecord(max_restarts=-1, voided=True, sealed="killed", death_cause=killed().to_json())
    cause = decisions.death_of(record, CRASH)
    assert cause is not None
    assert cause.reason is Reason.RAY_KILL
    assert cause.never_started


def test_g5_an_end_that_took_too_long_says_so() -> None:
    """The timeout is named before what began the end."""
    record = ActorRecord(shutdown_started=True, death_cause=out_of_scope().to_json(), max_restarts=-1)
    cause = decisions.death_of(record, Ended("signal 9", timed_out=True, graceful_timeout=1.5))
    assert cause is not None
    assert cause.reason is Reason.GRACEFUL_TIMEOUT
    assert "1.5 s" in cause.message


def test_g3_a_death_after_the_end_began_is_final() -> None:
    """Or the hook would run twice."""
    record = ActorRecord(shutdown_started=True, death_cause=out_of_scope().to_json(), max_restarts=-1)
    assert decisions.death_of(record, CRASH) is not None


@pytest.mark.parametrize(
    ("sealed", "waiting", "needless"), [("", 0, False), ("out_of_scope", 1, True), ("out_of_scope", 2, False)]
)
def test_h2_an_actor_that_nobody_waits_for_need_not_start(sealed: str, waiting: int, *, needless: bool) -> None:
    """With calls queued it starts; with nothing but the end it does not."""
    cause = decisions.need_not_start(ActorRecord(sealed=sealed), waiting)
    assert (cause is not None) == needless
    assert cause is None or cause.never_started


@given(retries=st.integers(-1, 6), deaths=st.integers(1, 10))
def test_r8_a_call_is_charged_once_per_death_and_fails_when_its_retries_are_used_up(retries: int, deaths: int) -> None:
    """With n retries it survives n deaths; for ever with -1. Charging again for the same death changes nothing."""
    charged: bytes | None = None
    survived = 0
    for incarnation in range(1, deaths + 1):
        charge = decisions.charge(a_call(retries), charged, incarnation)
        if charge is None:
            break
        assert decisions.charge(a_call(retries), charge, incarnation) == charge
        charged, survived = charge, survived + 1
    assert survived == (deaths if retries < 0 else min(retries, deaths))


@given(crashes=st.integers(2, 60), chance=st.floats(0, 1))
def test_r12_a_crash_loop_is_slowed_more_and_more(crashes: int, chance: float) -> None:
    """Exponentially, with jitter, up to a bound."""
    delay = decisions.restart_delay(crashes, chance)
    assert 0 < delay <= 30
    assert decisions.restart_delay(crashes + 1, 1.0) >= decisions.restart_delay(crashes, 1.0)
    assert decisions.restart_delay(crashes, 0.0) <= delay <= decisions.restart_delay(crashes, 1.0)


def test_r12_a_first_crash_is_restarted_at_once() -> None:
    """Only a row of quick crashes is a loop."""
    assert decisions.restart_delay(1, 1.0) == 0


@given(st.dictionaries(st.sampled_from(["CPU", "gpu", "disk"]), st.floats(0, 8)))
def test_what_fits_fits_exactly(required: dict[str, float]) -> None:
    """A node has room for what it has, and for nothing beyond."""
    assert decisions.fits(required, required)
    assert not decisions.fits({**required, "tpu": 0.5}, required)


def test_a_waiting_actor_says_why() -> None:
    """Too large for the node is another thing than no room now."""
    assert "no node is large enough" in decisions.waiting_reason({"gpu": 2.0}, {"CPU": 4.0})
    assert "waits for room" in decisions.waiting_reason({"CPU": 2.0}, {"CPU": 4.0})


def test_a_counter_that_moves_is_alive() -> None:
    """Stillness is counted from the last move, by the observer's own clock."""
    observer = Observer()
    observer.beat(0.0, accepted=True)
    assert observer.still_for("x", 1) == 0
    observer.beat(5.0, accepted=True)
    assert observer.still_for("x", 1) == 5
    assert observer.still_for("x", 2) == 0


@given(outage=st.floats(0, 1e6))
def test_an_outage_makes_nobody_look_dead(outage: float) -> None:
    """Time in which the observer's own beats were refused does not count."""
    observer = Observer()
    observer.beat(0.0, accepted=True)
    observer.still_for("x", 1)
    observer.beat(1.0, accepted=False)
    observer.beat(1.0 + outage, accepted=True)
    assert observer.still_for("x", 1) == 0


def test_causes_survive_being_stored() -> None:
    """What is written is what is read."""
    cause = DeathCause(Reason.OWNER_DIED, "", owner="me", never_started=True)
    assert DeathCause.from_json(cause.to_json()) == cause


@pytest.mark.parametrize(
    ("queue", "free", "wanted"),
    [
        (Queued(5, 0, 0, {"CPU": 1.0}), 4.0, 4),
        (Queued(2, 0, 0, {"CPU": 1.0}), 4.0, 2),
        # Those that run nothing take what waits, and soon the room for it.
        (Queued(5, 2, 0, {"CPU": 1.0}), 4.0, 2),
        (Queued(2, 2, 0, {"CPU": 1.0}), 4.0, 0),
        (Queued(5, 0, 0, {"CPU": 0.5}), 1.0, 2),
        (Queued(5, 0, 0, {"CPU": 1.0}), -1.0, 0),
        (Queued(5, 0, 0, {"CPU": 1.0, "gpu": 1.0}), 4.0, 0),
        # What takes nothing is not let loose all the same.
        (Queued(100, 0, 0, {}), 0.0, 4),
        (Queued(100, 1, 2, {}), 0.0, 1),
    ],
)
def test_a9_workers_for_a_queue(queue: Queued, free: float, wanted: int) -> None:
    """As many as tasks wait for, and as there is room for, on a node with four CPUs."""
    assert decisions.workers_wanted(queue, {"CPU": free}, 4) == wanted


@given(limit=st.integers(0, 5), deaths=st.integers(1, 12))
def test_i10_a_call_is_set_aside_when_it_has_died_so_often(limit: int, deaths: int) -> None:
    """However many retries it has left; without a limit never."""
    charged: bytes | None = None
    for incarnation in range(1, deaths + 1):
        charged = decisions.charge(a_call(-1), charged, incarnation)
        assert charged is not None
        assert decisions.too_often(charged, limit) == (limit > 0 and incarnation >= limit)
