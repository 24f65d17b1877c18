"""Judge a history. This module knows the promises and nothing of callboard: it imports none of it.

Each rule is a function from an indexed history to sentences, one per breach. A history without any is as promised.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from chaos.history import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ONCE", "ORDERED", "RETRIED", "Rules", "judge"]

#: Words of a call's terms: it runs again when its process dies, it never does, and its actor runs one call at a time.
RETRIED: Final = "retried"
ONCE: Final = "once"
ORDERED: Final = "ordered"

_SECOND: Final = 1_000_000_000
#: What a call without retries may be told of a crash.
_MAYBE: Final = "ActorUnavailableError"


@dataclass(frozen=True)
class Rules:
    """What this history is held to.

    Attributes:
        bound: Seconds in which each call has its outcome, counted from its making, or from the last time that something
            struck or healed while it waited.
        tolerated: Errors that calls may be told because of what was done.
        restarts: Whether actors may be restarted.
        forgets: Whether the server was put back to an older state, so that what had been committed since may run again.
        loses: Whether somebody deleted calls that waited, so that they come again behind later ones.
    """

    bound: float
    tolerated: frozenset[str] = field(default_factory=frozenset)
    restarts: bool = True
    forgets: bool = False
    loses: bool = False


class Call(NamedTuple):
    """Which call: its caller, its actor, and its number between the two."""

    caller: str
    actor: str
    number: int

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"call {self.number} of {self.caller} to {self.actor}"


class _Story:
    """A history by call and by actor."""

    def __init__(self, events: Iterable[Event], rules: Rules) -> None:
        self.rules = rules
        self.invoked: dict[Call, Event] = {}
        self.outcomes: dict[Call, list[Event]] = defaultdict(list)
        self.starts: dict[Call, list[Event]] = defaultdict(list)
        self.starts_of: dict[str, list[Event]] = defaultdict(list)
        self.births: dict[str, dict[str, int]] = defaultdict(dict)
        self.killed: set[str] = set()
        self.turns: list[int] = []
        self.ends = 0
        self.twice: list[Call] = []
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        self.ends = max(self.ends, event.at)
        call = Call(event.caller, event.actor, event.call)
        match event.kind:
            case Kind.INVOKE:
                if call in self.invoked:
                    self.twice.append(call)
                self.invoked[call] = event
            case Kind.OK | Kind.FAIL | Kind.UNKNOWN:
                self.outcomes[call].append(event)
            case Kind.START:
                self.starts[call].append(event)
                self.starts_of[event.actor].append(event)
            case Kind.BORN:
                births = self.births[event.actor]
                births.setdefault(event.incarnation, len(births))
            case Kind.KILLED:
                self.killed.add(event.caller)
                self.turns.append(event.at)
            case Kind.STRUCK | Kind.FAULT | Kind.HEALED:
                self.turns.append(event.at)

    def age(self, event: Event) -> int:
        """Tell the how-manieth incarnation of its actor an event speaks of; -1 for one that was never born."""
        return self.births[event.actor].get(event.incarnation, -1)


def _each_has_one_outcome(story: _Story) -> Iterator[str]:
    for call in story.twice:
        yield f"{call} was made twice, so this history cannot be judged"
    for call in story.outcomes.keys() - story.invoked.keys():
        yield f"{call} has an outcome and was never made"
    for call in story.invoked:
        found = story.outcomes.get(call, [])
        if not found and call.caller not in story.killed:
            yield f"{call} has no outcome"
        if len(found) > 1:
            yield f"{call} has {len(found)} outcomes: {', '.join(f'{event.kind} {event.told}' for event in found)}"
        for event in found:
            if event.kind is Kind.UNKNOWN:
                yield f"{call} has an outcome that nobody knows: {event.told}"


def _results_are_its_own(story: _Story) -> Iterator[str]:
    for call, found in story.outcomes.items():
        for event in found:
            if event.kind is not Kind.OK:
                continue
            if event.told != f"{call.caller}/{call.number}":
                yield f"{call} got the result of {event.told}"
            if not any(start.incarnation == event.incarnation for start in story.starts.get(call, [])):
                yield f"{call} has a result of incarnation {event.incarnation}, which never started it"


def _starts_are_in_order(story: _Story) -> Iterator[str]:
    """Judge each process for itself, and what it starts by what callers had been told of older ones.

    So what a process starts that is the actor no longer, and does not know it yet, is not held against the newer one.
    """
    if story.rules.loses:
        return
    told = _latest_results(story)
    for actor, starts in story.starts_of.items():
        latest: dict[tuple[str, str], int] = {}
        for start in starts:
            call = Call(start.caller, actor, start.call)
            made = story.invoked.get(call)
            if made is None:
                yield f"{call} started and was never made"
                continue
            if ORDERED not in made.told.split():
                continue
            by_whom = call.caller, start.incarnation
            behind = latest.get(by_whom, -1)
            latest[by_whom] = max(behind, call.number)
            if story.rules.forgets and story.starts[call][0] is not start:
                # A server that was put back hands out calls again that had been answered.
                continue
            if call.number < behind:
                yield f"{call} started after call {behind}, which had been made later"
            for number, age in told.get((call.caller, actor), []):
                if number > call.number and age < story.age(start) and not story.rules.forgets:
                    yield f"{call} started in a newer process than call {number}, which had been made later"
                    break


def _latest_results(story: _Story) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Return, per caller and actor, the last result that each incarnation gave, with the age of that."""
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for call, outcomes in story.outcomes.items():
        for event in outcomes:
            if event.kind is Kind.OK:
                latest = found[call.caller, call.actor]
                age = story.age(event)
                latest[age] = max(latest.get(age, -1), call.number)
    return {pair: [(number, age) for age, number in latest.items()] for pair, latest in found.items()}


def _once_means_once(story: _Story) -> Iterator[str]:
    for call, starts in story.starts.items():
        made = story.invoked.get(call)
        if made and ONCE in made.told.split() and len(starts) > 1 and not story.rules.forgets:
            yield f"{call} has no retries and started {len(starts)} times"


def _what_was_answered_stays(story: _Story) -> Iterator[str]:
    if story.rules.forgets:
        return
    for call, found in story.outcomes.items():
        answered = min(event.at for event in found)
        for start in story.starts.get(call, []):
            if start.at > answered and not _is_of_the_past(story, start):
                yield f"{call} started again {_seconds(start.at - answered)} after its outcome had been seen"


def _is_of_the_past(story: _Story, start: Event) -> bool:
    """Tell whether a newer process had started something before, so that nobody hears what this one does."""
    later = (other.at for other in story.starts_of[start.actor] if story.age(other) > story.age(start))
    return min(later, default=start.at) < start.at


def _one_incarnation_speaks(story: _Story) -> Iterator[str]:
    spoken = sorted(
        (event for found in story.outcomes.values() for event in found if event.kind is Kind.OK),
        key=lambda event: event.at,
    )
    heard: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in spoken:
        age, records = story.age(event), heard[event.actor]
        if not records or age > records[-1][1]:
            records.append((event.at, age))
    for event in spoken:
        call = Call(event.caller, event.actor, event.call)
        made = story.invoked.get(call)
        if made is None or story.rules.forgets:
            continue
        before = max((age for at, age in heard[event.actor] if at < made.at), default=-1)
        if story.age(event) < before:
            yield f"{call} was answered by an older process than one that had answered before it was made"


def _nobody_waits_long(story: _Story) -> Iterator[str]:
    for call, made in story.invoked.items():
        if call.caller in story.killed:
            continue
        answered = min((event.at for event in story.outcomes.get(call, [])), default=story.ends)
        since = max((at for at in story.turns if made.at < at < answered), default=made.at)
        if answered - since > story.rules.bound * _SECOND:
            yield f"{call} waited {_seconds(answered - since)} without anything happening to it"


def _failures_have_a_reason(story: _Story) -> Iterator[str]:
    for call, found in story.outcomes.items():
        made = story.invoked.get(call)
        allowed = {_MAYBE} if made and ONCE in made.told.split() else set[str]()
        for event in found:
            error = event.told.partition(":")[0]
            if event.kind is Kind.FAIL and error not in allowed | story.rules.tolerated:
                yield f"{call} failed without a reason: {event.told}"


def _nobody_is_restarted(story: _Story) -> Iterator[str]:
    for actor, births in story.births.items():
        if len(births) > 1 and not story.rules.restarts:
            yield f"{actor} was restarted {len(births) - 1} times, which nothing called for"


_RULES: Final[tuple[Callable[[_Story], Iterator[str]], ...]] = (
    _each_has_one_outcome,
    _results_are_its_own,
    _starts_are_in_order,
    _once_means_once,
    _what_was_answered_stays,
    _one_incarnation_speaks,
    _nobody_waits_long,
    _failures_have_a_reason,
    _nobody_is_restarted,
)


def judge(events: Iterable[Event], rules: Rules) -> list[str]:
    """Return a sentence for each breach of a promise; none when all were kept.

    Args:
        events: A history in the order of time.
        rules: What it is held to.
    """
    story = _Story(events, rules)
    return [breach for rule in _RULES for breach in rule(story)]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / _SECOND:.3g} s"
