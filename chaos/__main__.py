"""Kill, stop, cut and fill what a callboard stands on, and judge what callers saw: ``python -m chaos``."""

from __future__ import annotations

import argparse
import fnmatch
import secrets
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from chaos import report
from chaos.acts import ACTS
from chaos.play import play
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chaos.acts import Act
    from chaos.play import Review

#: Seconds that an act takes beside its storm: beginning, last outcomes, leaving nothing.
_AROUND: Final = 8.0
#: Seconds of a storm at least.
_SHORTEST: Final = 3.0
_WIDTH: Final = 160


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="what all acts take together [%(default)s]")
    parser.add_argument("--seconds", type=float, help="what the storm of each act takes, instead of --minutes")
    parser.add_argument("--seed", type=int, help="of an earlier run, to have its strikes again [random]")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="ACT", help="acts to play, such as 'work*'")
    parser.add_argument("--list", action="store_true", help="list the acts and their faults, and play nothing")
    return parser.parse_args()


def main() -> int:
    """Play acts; return the exit code: 1 when a promise was broken."""
    wanted, console = _arguments(), Console()
    if not console.is_terminal:
        console.width = _WIDTH
    # So that what was started is ended, also where a shell has had interrupts ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    acts = [act for act in ACTS if any(fnmatch.fnmatch(act.name, pattern) for pattern in wanted.only)]
    if not acts:
        console.print(f"no act is called {' or '.join(wanted.only)}; there are {', '.join(act.name for act in ACTS)}")
        return 2
    if wanted.list:
        for act in acts:
            console.print(f"{act.name}: {', '.join(fault.name for fault in act.faults)}", highlight=False)
        return 0
    hindered = {act.name: why for act in acts if (why := act.hindrance())}
    acts = [act for act in acts if act.name not in hindered]
    if not acts:
        console.print(f"nothing is played: {_listed(hindered)}", highlight=False)
        return 2
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    seconds = wanted.seconds or max(_SHORTEST, wanted.minutes * 60 / len(acts) - _AROUND)
    console.print(f"seed {seed}, {len(acts)} acts, storms of {seconds:.0f} s", highlight=False)
    reviews = _play_all(acts, seed, seconds, console)
    report.show(reviews, console)
    broken = [review.act for review in reviews if review.breaches]
    console.print(f"not as promised: {', '.join(broken)}" if broken else "as promised", highlight=False)
    if hindered:
        console.print(f"not played: {_listed(hindered)}", highlight=False)
    return 1 if broken else 0


def _listed(hindered: Mapping[str, str]) -> str:
    return "; ".join(f"{name}, as {why}" for name, why in hindered.items())


def _play_all(acts: Sequence[Act], seed: int, seconds: float, console: Console) -> list[Review]:
    reviews = []
    for act in acts:
        began = time.monotonic()
        review = play(act, seed, seconds)
        reviews.append(review)
        verdict = f"{len(review.breaches)} breaches" if review.breaches else "as promised"
        console.print(f"{act.name}: {verdict}, {time.monotonic() - began:.0f} s", highlight=False)
        if review.breaches:
            again = f"python -m chaos --seed {seed} --seconds {seconds:.0f} --only {act.name}"
            report.show_breaches(review, again, console)
    return reviews


if __name__ == "__main__":
    sys.exit(main())
