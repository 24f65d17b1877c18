"""H4, H5, O2: whatever is done with handles, an actor lives while one is alive somewhere, and ends soon after the last.

A hypothesis state machine drives real processes: this driver, another one, and actors that hold handles and own actors.
Its model is a table of who has a handle to whom.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.support.cupboard import Cupboard
from tests.support.drivers import OtherDriver
from tests.support.mortals import Mortal
from tests.support.stage import Stage
from tests.support.waiting import wait_until

BOUND = 20
NAMESPACE = "machine"
#: Things in which a handle is put when it is passed on.
NESTS: dict[str, Any] = {
    "bare": lambda handle: handle,
    "list": lambda handle: [handle],
    "deep": lambda handle: {"a": ({"b": [handle]},)},
    "method": lambda handle: handle.pid,
}
PICK = st.integers(min_value=0, max_value=1 << 16)


@dataclass
class Target:
    """An actor whose handles are passed around.

    Attributes:
        actor: Its id.
        owner: Keeper that made it; None for this driver.
        places: Where handles are.
        doomed: Whether its owner is dead.
    """

    actor: str
    owner: int | None
    places: set[str] = field(default_factory=set)
    doomed: bool = False


class Machine(RuleBasedStateMachine):
    """Do things with handles, and compare what lives with what should."""

    ray: ModuleType
    stage: Stage
    notes: Path
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[Target] = []
        self.mine: dict[str, Any] = {}
        self.cupboards: dict[int, Any] = {}
        self.other: OtherDriver | None = None
        for _ in range(2):
            self._new_cupboard()

    # What can be done.

    @rule()
    def create(self) -> None:
        """Make an actor here."""
        place = self._place("mine")
        self.mine[place] = self.ray.remote(Mortal).remote(str(self.notes))
        self._created(Target(self.mine[place]._actor_id, None, {place}))

    @rule(keeper=PICK)
    def create_elsewhere(self, keeper: int) -> None:
        """Have an actor make one."""
        number = self._keeper(keeper)
        place = self._place(f"keeper {number}")
        actor = self.ray.get(self.cupboards[number].make.remote(place, str(self.notes)), timeout=BOUND)
        self._created(Target(actor, number, {place}))

    @precondition(lambda self: self._held("mine"))
    @rule(pick=PICK, keeper=PICK, nest=st.sampled_from(sorted(NESTS)), waits=st.booleans())
    def send(self, pick: int, keeper: int, nest: str, waits: bool) -> None:
        """Pass a handle of ours to an actor, perhaps without waiting until it is there."""
        target, place = self._choose("mine", pick)
        number = self._keeper(keeper)
        new = self._place(f"keeper {number}")
        ref = self.cupboards[number].keep.remote(new, NESTS[nest](self.mine[place]))
        target.places.add(new)
        if waits:
            self.ray.get(ref, timeout=BOUND)

    @precondition(lambda self: self._held("keeper"))
    @rule(pick=PICK)
    def fetch(self, pick: int) -> None:
        """Get back what an actor has, as a handle of ours."""
        target, place = self._choose("keeper", pick)
        number = int(place.split()[1])
        new = self._place("mine")
        self.mine[new] = self.ray.get(self.cupboards[number].give.remote(place), timeout=BOUND)
        target.places.add(new)

    @precondition(lambda self: self._held("keeper"))
    @rule(pick=PICK, keeper=PICK)
    def pass_between(self, pick: int, keeper: int) -> None:
        """Give the result of one actor to another, without having seen it here."""
        target, place = self._choose("keeper", pick)
        number = self._keeper(keeper)
        new = self._place(f"keeper {number}")
        given = self.cupboards[int(place.split()[1])].give.remote(place)
        self.ray.get(self.cupboards[number].keep.remote(new, given), timeout=BOUND)
        target.places.add(new)

    @precondition(lambda self: self._held("mine"))
    @rule(pick=PICK)
    def store(self, pick: int) -> None:
        """Put a handle into an object."""
        target, place = self._choose("mine", pick)
        new = self._place("mine")
        self.mine[new] = self.ray.put([self.mine[place]])
        target.places.add(new)

    @precondition(lambda self: self._held("keeper"))
    @rule(pick=PICK)
    def fetch_elsewhere(self, pick: int) -> None:
        """Have another driver get a handle."""
        target, place = self._choose("keeper", pick)
        # What we have sent before must be there, as another caller's call may overtake it.
        self.ray.get(self.cupboards[int(place.split()[1])].__ray_ready__.remote(), timeout=BOUND)
        other = self._other_driver()
        new = self._place("other")
        name = f"kept_{new.split()[1]}"
        cupboard = f"ray.get_actor('cupboard {place.split()[1]}')"
        other.do(f"{name} = ray.get({cupboard}.give.remote({place!r}), timeout={BOUND})")
        target.places.add(new)

    @precondition(lambda self: self.mine)
    @rule(pick=PICK)
    def drop(self, pick: int) -> None:
        """Drop something of ours that is or has a handle."""
        place = sorted(self.mine)[pick % len(self.mine)]
        target = next(target for target in self.targets if place in target.places)
        del self.mine[place]
        target.places.discard(place)

    @precondition(lambda self: self._held("keeper"))
    @rule(pick=PICK)
    def drop_elsewhere(self, pick: int) -> None:
        """Have an actor drop a handle."""
        target, place = self._choose("keeper", pick)
        self.ray.get(self.cupboards[int(place.split()[1])].drop.remote(place), timeout=BOUND)
        target.places.discard(place)

    @precondition(lambda self: self._held("other"))
    @rule()
    def kill_the_other_driver(self) -> None:
        """SIGKILL a process that holds handles."""
        assert self.other is not None
        self.other.kill()
        self.other = None
        self._forget("other")

    @rule(pick=PICK)
    def kill_a_keeper(self, pick: int) -> None:
        """Kill an actor that holds handles and owns actors; another takes its place."""
        number = self._keeper(pick)
        self.ray.kill(self.cupboards.pop(number))
        self._forget(f"keeper {number}")
        for target in self.targets:
            target.doomed |= target.owner == number
        self._new_cupboard()

    # What must hold.

    @invariant()
    def alive_while_held(self) -> None:
        """I7: nobody who should live is even about to end. I6: whoever should not, ends."""
        for target in self.targets:
            if target.places and not target.doomed:
                assert self._look(target) in {("ALIVE", ""), ("PENDING_CREATION", "")}
        for target in [target for target in self.targets if target.doomed or not target.places]:
            wait_until(lambda target=target: self._look(target)[0] == "DEAD", what=f"the end of {target}")  # type: ignore[misc]
            if not target.places:
                self.targets.remove(target)

    def teardown(self) -> None:
        """Let go of everything; the end of the test sees that nothing is left."""
        if self.other is not None:
            self.other.kill()
        for target in self.targets:
            target.places.clear()
        self.mine.clear()
        self.cupboards.clear()
        self.alive_while_held()

    # Helpers.

    def _created(self, target: Target) -> None:
        # Creating does not wait for the server.
        key = self.stage.broker.keys.actor(target.actor)
        wait_until(lambda: self.stage.wire.call("EXISTS", key), what="the record")
        self.targets.append(target)

    def _look(self, target: Target) -> tuple[str, str]:
        reply = self.stage.wire.call("HMGET", self.stage.broker.keys.actor(target.actor), "state", "sealed")
        state, sealed = [part.decode() for part in reply]  # type: ignore[union-attr]
        return state, sealed

    def _place(self, kind: str) -> str:
        return f"{kind} {next(self.numbers)}"

    def _new_cupboard(self) -> None:
        number = next(self.numbers)
        self.cupboards[number] = self.ray.remote(Cupboard).options(name=f"cupboard {number}").remote()

    def _keeper(self, pick: int) -> int:
        return sorted(self.cupboards)[pick % len(self.cupboards)]

    def _held(self, kind: str) -> list[tuple[Target, str]]:
        return [
            (target, place)
            for target in self.targets
            if not target.doomed
            for place in sorted(target.places)
            if place.startswith(kind) and (kind != "mine" or isinstance(self.mine[place], self.ray.ActorHandle))
        ]

    def _choose(self, kind: str, pick: int) -> tuple[Target, str]:
        held = self._held(kind)
        return held[pick % len(held)]

    def _other_driver(self) -> OtherDriver:
        if self.other is None:
            self.other = OtherDriver(NAMESPACE)
        return self.other

    def _forget(self, kind: str) -> None:
        for target in self.targets:
            target.places = {place for place in target.places if not place.startswith(f"{kind} ")}


def test_h4_h5_handles_of_all_kinds_of_lives(ray: ModuleType, on_stage: Stage, tmp_path: Path) -> None:
    """The machine's invariants hold whatever is done in whatever order."""
    ray.shutdown()
    ray.init(on_stage.address, namespace=NAMESPACE)
    Machine.ray, Machine.stage, Machine.notes = ray, on_stage, tmp_path / "notes"
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=8, stateful_step_count=25, deadline=None, database=None, suppress_health_check=checks
        ),
    )
