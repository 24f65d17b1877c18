"""H1, H4, I6: many actors that come, are passed on, and go, leave nothing."""

import os
from types import ModuleType
from typing import Any

import psutil
import pytest
from tests.support.stage import Stage
from tests.support.waiting import wait_until

from callboard_broker.wire import integer, items

#: `make churn` asks for more.
CYCLES = int(os.environ.get("CHURN_CYCLES", "100"))
AT_ONCE = 20
BOUND = 60


class Mayfly:
    """Live for a call or two."""

    def touch(self, number: int, *_others: Any) -> int:
        """Return the number."""
        return number


@pytest.mark.timeout(300)
def test_h4_many_cycles_leave_nothing(ray: ModuleType, on_stage: Stage) -> None:
    """Create, call, pass on, drop: neither keys, processes, threads nor descriptors grow."""
    mayfly = ray.remote(Mayfly)
    keeper = mayfly.remote()

    def cycle(numbers: range) -> None:
        handles = [mayfly.remote() for _ in numbers]
        passed = [keeper.touch.remote(number, [handle]) for number, handle in zip(numbers, handles, strict=True)]
        called = [handle.touch.remote(number) for number, handle in zip(numbers, handles, strict=True)]
        del handles
        assert ray.get(passed + called, timeout=BOUND) == [*numbers, *numbers]

    def living() -> int:
        return len(items(on_stage.wire.call("SMEMBERS", on_stage.broker.keys.actors)))

    def used() -> tuple[int, ...]:
        wait_until(lambda: living() == 1, what="all others to be gone", timeout=BOUND)
        me, supervisor = psutil.Process(), psutil.Process(on_stage.supervisor.pid)
        # Records of the dead stay for a while, by design.
        dead = integer(on_stage.wire.call("ZCARD", on_stage.broker.keys.dead))
        keys = integer(on_stage.wire.call("DBSIZE")) - dead
        return (
            keys,
            me.num_threads(),
            me.num_fds(),
            supervisor.num_threads(),
            supervisor.num_fds(),
            len(on_stage.pages()),
        )

    cycle(range(AT_ONCE))
    before = used()
    for start in range(AT_ONCE, CYCLES, AT_ONCE):
        cycle(range(start, start + AT_ONCE))
    after: list[tuple[int, ...]] = []

    def no_more() -> bool:
        after.append(used())
        return all(now <= then for now, then in zip(after[-1], before, strict=True))

    wait_until(no_more, what=f"no more than {before} keys, threads, descriptors, pages", timeout=BOUND)
