"""The benchmark: its statistics, targets, tables, commands, and the workloads that it finds."""

import io
import json
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import report, side
from bench.catalogue import SUITES, suite, workloads
from bench.figures import Spread, number, percentile, times_better
from bench.results import Results
from bench.side import Command, Side
from bench.stages import STAGES
from bench.targets import TARGETS, Met, Most, Ratio
from bench.workload import CALLS, MILLISECONDS, P50, P99, SPEAKERS, Measure, Workload, in_batches, one_by_one
from rich.console import Console

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
FACTS = {
    "versions": {"python": "3.11"},
    "machine": {
        "cores": 2,
        "system": "Linux",
        "architecture": "x86_64",
        "memory_gb": 4,
        "busy_before": 1.0,
        "busy_after": 2.0,
    },
    "rounds": 3,
    "seconds": 1.0,
}


def results(**rates: list[float]) -> Results:
    """Make results of `sync/idle` with calls per second by side."""
    found = Results(facts=FACTS)
    for name, values in rates.items():
        for value in values:
            found.add("sync/idle", name, {CALLS: value})
    return found


@pytest.mark.parametrize(("rank", "expected"), [(50, 50), (99, 99), (100, 100), (0.1, 1)])
def test_percentile(rank: float, expected: int) -> None:
    """A percentile is a value that was measured, whatever their order."""
    assert percentile([*range(100, 0, -1)], rank) == expected


def test_percentiles_of_few() -> None:
    """Of few values the 99th percentile is the largest; of none there is none."""
    assert percentile([3.0, 1.0], 99) == 3.0
    assert percentile([3.0, 1.0], 50) == 1.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_spreads() -> None:
    """A spread has the median and both ends, and shows them."""
    assert Spread.of([3.0, 1.0, 20.0]) == Spread(3.0, 1.0, 20.0)
    assert str(Spread.of([3.0, 1.0, 2000.0])) == "3.00 (1.00..2,000)"
    with pytest.raises(statistics.StatisticsError):
        Spread.of([])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (99.96, "100.0"), (1234.5, "1,234")],
)
def test_numbers(value: float, text: str) -> None:
    """Three digits count."""
    assert number(value) == text


def test_better_is_faster_or_smaller() -> None:
    """Speeds are better when they are more, all else when it is less."""
    assert times_better(CALLS, 10, 5) == 2
    assert times_better(MILLISECONDS, 10, 5) == 0.5


def test_a_ratio_is_that_of_medians() -> None:
    """One odd round changes nothing."""
    found = results(callboard=[20.0, 26.0, 900.0], ray=[10.0, 1.0, 10.0])
    judged = Ratio("sync/idle", CALLS, 2.6, "ray").judge(found)
    assert (judged.found, judged.wanted, judged.met) == ("2.60x", ">= 2.60x", Met.YES)


def test_a_miss_is_a_miss() -> None:
    """A target that is missed by little is not met."""
    judged = Ratio("sync/idle", CALLS, 2.6, "ray").judge(results(callboard=[25.9], ray=[10.0]))
    assert judged.met is Met.NO


def test_what_was_not_measured_is_said() -> None:
    """Without one of the two there is no verdict."""
    assert Ratio("sync/idle", CALLS, 2.6, "ray").judge(results(callboard=[20.0])).met is Met.UNKNOWN
    assert Ratio("sync/idle", CALLS, 2.6, "ray").judge(results(ray=[20.0])).met is Met.UNKNOWN
    assert Most("sync/idle", CALLS, 2.6).judge(results(ray=[20.0])).met is Met.UNKNOWN


def test_a_ratio_of_different_things() -> None:
    """Another metric, or another workload, of the other side."""
    found = Results()
    found.add("sync/idle", "callboard", {P99: 0.5})
    found.add("sync/idle", "ray", {P50: 0.75, P99: 0.1})
    found.add("sync/busy", "ray", {P99: 5.0})
    judged = Ratio("sync/idle", P99, 1, "ray", their_metric=P50).judge(found)
    assert (judged.found, judged.what, judged.met) == ("1.50x", "p99 ms : Ray p50 ms", Met.YES)
    judged = Ratio("sync/idle", P99, 1, "ray", their_workload="sync/busy").judge(found)
    assert (judged.found, judged.what) == ("10.0x", "p99 ms : Ray (sync/busy)")


def test_a_figure_has_a_bound() -> None:
    """Up to the bound it is met."""
    found = results(callboard=[1.0, 2.0, 9.0])
    assert Most("sync/idle", CALLS, 2.0).judge(found).met is Met.YES
    assert Most("sync/idle", CALLS, 1.9).judge(found).met is Met.NO


@pytest.mark.parametrize("name", SUITES)
def test_targets_are_about_workloads(name: str) -> None:
    """Each target names workloads of its suite, which the sides that it compares can do."""
    for target in TARGETS[name]:
        assert "callboard" in suite(name)[target.workload].sides
        if isinstance(target, Ratio):
            assert target.than in suite(name)[target.their_workload or target.workload].sides


@pytest.mark.parametrize("name", SUITES)
def test_tables_have_every_workload_once(name: str) -> None:
    """Those with targets come first, in their order, each behind what it is compared with."""
    order = report.in_order(name)
    assert sorted(order) == sorted(suite(name))
    for target in TARGETS[name]:
        if isinstance(target, Ratio) and target.their_workload:
            assert order.index(target.their_workload) < order.index(target.workload)


def test_workloads_are_for_sides_that_there_are() -> None:
    """Sides of workloads and sides that can be started are the same."""
    assert {each for workload in workloads().values() for each in workload.sides} == set(STAGES)


def test_workloads_need_little_to_be_found() -> None:
    """Ray's side has neither hiredis nor RQ, so no workload imports them at its head."""
    heads = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
    for name in SUITES:
        for path in (ROOT / "bench" / name).glob("*.py"):
            found = set(heads.findall(path.read_text(encoding="utf-8")))
            assert found & {"hiredis", "redis", "rq", "callboard", "numpy", "psutil"} == set(), path


def test_tables_show_misses() -> None:
    """The terminal and the page have the same figures and verdicts, and what failed."""
    found = results(callboard=[20.0, 24.0, 22.0], ray=[10.0])
    found.fail("sync/busy", "ray", "Traceback\nOSError: no /tmp/some/where: 7")
    out = io.StringIO()
    report.show(Console(file=out, width=200), "speed", found)
    for text in (out.getvalue(), report.page("speed", found)):
        assert "22.0 (20.0..24.0)" in text
        assert "2.20" in text
        assert "not met" in text
        assert "not measured" in text
        assert "sync/busy on ray: OSError: no (path): 7" in text


def test_the_page_has_a_place_for_every_suite() -> None:
    """What stands between the marks is replaced, all else is kept."""
    for name in SUITES:
        assert report.between(PAGE, name, "new").count("\nnew\n") == 1
    once = report.between(PAGE, "speed", "one")
    assert report.between(once, "speed", "two") == once.replace("\none\n", "\ntwo\n")
    with pytest.raises(ValueError, match="needs the lines"):
        report.between("nothing", "speed", "new")


def test_results_survive_their_file() -> None:
    """What is written is read again, and has only digits that mean something."""
    found = results(callboard=[1.0, 2.000004])
    found.fail("sync/idle", "ray", "broken")
    again = Results.from_json(json.loads(json.dumps(found.as_json())))
    assert again.rounds == {"sync/idle": {"callboard": {CALLS: [1.0, 2.0]}}}
    assert again.errors == {"sync/idle": {"ray": "broken"}}
    assert again.facts == FACTS


@pytest.mark.parametrize("command", [Command("prepare", "sync/idle"), Command("measure", seconds=1.5)])
def test_commands_survive_their_line(command: Command) -> None:
    """A command is one line."""
    assert command.line().count("\n") == 1
    assert Command.parse(command.line()) == command


@pytest.mark.parametrize("line", ['{"do": "prepare"}', '{"do": "measure"}', '{"do": "dance"}', '{"so": 1}', "[]", "{"])
def test_what_is_no_command(line: str) -> None:
    """A bad line is refused, and nothing is done."""
    with pytest.raises(ValueError, match=r"not a command|Expecting"):
        Command.parse(line)


def test_a_side_does_what_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It prepares, measures as often as asked, and ends one workload before the next; failures are answers."""
    seen = []

    @contextmanager
    def prepare(stage: object) -> Iterator[Measure]:
        seen.append(f"prepared with {stage}")
        yield lambda seconds: {CALLS: 1 / seconds}
        seen.append("ended")

    chosen = {"one": Workload("one", "One", prepare)}
    monkeypatch.setattr(side, "workloads", lambda: chosen)
    asked = Side(SPEAKERS[0], "a stage")
    assert "nothing is prepared" in str(asked.answer(Command("measure", seconds=1))["error"])
    assert asked.answer(Command("prepare", "one")) == {"sample": {}}
    assert asked.answer(Command("measure", seconds=0.5)) == {"sample": {CALLS: 2.0}}
    assert asked.answer(Command("prepare", "one")) == {"sample": {}}
    assert "KeyError: 'two'" in str(asked.answer(Command("prepare", "two"))["error"])
    assert "nothing is prepared" in str(asked.answer(Command("measure", seconds=1))["error"])
    asked.forget()
    assert seen == ["prepared with a stage", "ended", "prepared with a stage", "ended"]


def test_trips_are_counted() -> None:
    """One at a time, each is timed; in batches, each batch counts as many."""
    trips = []
    sample = one_by_one(lambda: trips.append(1), 0.01)
    assert list(sample) == [CALLS, P50, P99]
    assert 0 < sample[P50] <= sample[P99]
    assert len(trips) >= sample[CALLS] * 0.01
    assert in_batches(lambda: None, 10, 0.001)[CALLS] > 0
