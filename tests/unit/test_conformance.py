"""The comparison with Ray: what scenarios say of themselves, how they are translated, and what their runs mean."""

import io
import sys
from pathlib import Path

import pytest
from conformance import report
from conformance.judge import FAILURES, Run, Verdict, judge, planned_numbers
from conformance.scenario import Scenario, find, numbers, translated
from rich.console import Console

ROOT = Path(__file__).parents[2]
PATHS = [path for folder in ("scenarios", "programs") for path in find(ROOT / "conformance" / folder)]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KNOWN = set(numbers(README.partition("## What works")[2]))

NOTHING: frozenset[str] = frozenset()
SAID = Run(("one", "two"))
ELSE = Run(("one", "three"))


def scenario(*, better: str = "", expected: tuple[str, ...] = ()) -> Scenario:
    """Make a scenario about H1."""
    return Scenario(Path("x.py"), "handles", "x", "Something", ("H1",), better, "because", expected=expected)


def program(folder: Path, docstring: str, rest: str = "import ray\n", expected: str | None = None) -> Path:
    """Write a scenario."""
    path = folder / "some" / "thing.py"
    path.parent.mkdir()
    path.write_text(f'"""{docstring}"""\n\n{rest}')
    if expected is not None:
        path.with_suffix(".expected").write_text(expected)
    return path


def ids(path: Path) -> str:
    """Name a scenario."""
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", PATHS, ids=ids)
def test_every_scenario_says_what_it_is_about(path: Path) -> None:
    """It has a title, numbers of the README's table, and compiles in both languages."""
    found = Scenario.read(path)
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    assert translated(source) != source
    assert len(source.splitlines()) == len(translated(source).splitlines())
    assert found.title
    assert found.numbers
    assert set(found.numbers) - KNOWN == set()
    assert not found.better or (found.better in found.numbers and found.why and found.expected)


def test_scenarios_have_different_names() -> None:
    """Each is one row of the report, and none hides a module of Python from what the program imports."""
    assert {path.stem for path in PATHS} & sys.stdlib_module_names == set()
    assert len({ids(path) for path in PATHS}) == len(PATHS)


def test_a_docstring_is_read(tmp_path: Path) -> None:
    """Fields may go on in further lines; ranges are written out."""
    path = program(tmp_path, "Try it.\n\nNumbers: H1 to H3, R5\nBetter: R5 since\nit is.\n", expected="a\nb\n")
    found = Scenario.read(path)
    assert (found.id, found.title, found.numbers) == ("some/thing", "Try it", ("H1", "H2", "H3", "R5"))
    assert (found.better, found.why, found.expected) == ("R5", "since it is.", ("a", "b"))
    assert not found.alone


@pytest.mark.parametrize(
    ("docstring", "rest", "expected", "error"),
    [
        ("", "import ray\n", None, "has no docstring"),
        ("Try.\n\nBetter: R5 since it is.\n", "import ray\n", None, "thing.expected"),
        ("Try.\n", "import ray\n", "a\n", "thing.expected"),
        ("Try.\n", "def f():\n    import ray\n", None, "at the margin"),
        ("Try.\n", "import ray.util\n", None, "import ray.util"),
    ],
)
def test_a_bad_scenario_is_refused(tmp_path: Path, docstring: str, rest: str, expected: str | None, error: str) -> None:
    """The error says what is missing."""
    path = program(tmp_path, docstring, rest, expected)
    with pytest.raises(ValueError, match=error):
        Scenario.read(path)


def test_only_imports_are_translated() -> None:
    """Everything else stays."""
    source = "import ray\nfrom ray.util.queue import Queue\nfrom ray import get\nray.init()  # import ray\n"
    assert translated(source) == (
        "import callboard as ray\n"
        "from callboard.util.queue import Queue\n"
        "from callboard import get\n"
        "ray.init()  # import ray\n"
    )


def test_equal_outputs_are_the_same() -> None:
    """Whatever is planned."""
    assert judge(scenario(), SAID, SAID, NOTHING) is Verdict.SAME
    assert judge(scenario(), SAID, SAID, frozenset({"H1"})) is Verdict.SAME


def test_a_difference_needs_an_explanation() -> None:
    """Only what is planned is one."""
    assert judge(scenario(), SAID, ELSE, NOTHING) is Verdict.DIFFERENT
    assert judge(scenario(), SAID, ELSE, frozenset({"H2"})) is Verdict.DIFFERENT
    assert judge(scenario(), SAID, ELSE, frozenset({"H1"})) is Verdict.PLANNED


@pytest.mark.parametrize("code", [1, -9, None])
def test_a_program_must_end_well(code: int | None) -> None:
    """What it has printed does not count otherwise: not on Ray, and not on callboard."""
    assert judge(scenario(), Run(SAID.lines, code), SAID, frozenset({"H1"})) is Verdict.BROKEN
    assert judge(scenario(), SAID, Run(SAID.lines, code), NOTHING) is Verdict.DIFFERENT
    better = scenario(better="H1", expected=ELSE.lines)
    assert judge(better, SAID, Run(ELSE.lines, code), NOTHING) is Verdict.DIFFERENT


def test_better_is_checked() -> None:
    """It must be what is expected, also where Ray prints something else or happens to print that."""
    better = scenario(better="H1", expected=ELSE.lines)
    assert judge(better, SAID, ELSE, NOTHING) is Verdict.BETTER
    assert judge(better, ELSE, ELSE, NOTHING) is Verdict.SAME
    assert judge(better, SAID, SAID, NOTHING) is Verdict.DIFFERENT
    assert judge(better, SAID, Run(("four",)), NOTHING) is Verdict.DIFFERENT


def test_planned_numbers_are_those_of_the_table() -> None:
    """Rows that say so, with ranges."""
    rows = ["| N | W | S |", "|---|---|---|", "| H1 to H3 | x | planned, with A9 |", "| K1 | x | yes |"]
    table = "\n".join(["", "## What works", "", *rows, "", "## More", "| K2 | x | planned |"])
    assert planned_numbers(table) == {"H1", "H2", "H3"}
    assert planned_numbers(README) < KNOWN


def test_the_page_tells_everything() -> None:
    """Verdicts with numbers, reasons for what is better, and the counts."""
    better = scenario(better="H1", expected=ELSE.lines)
    rows = [
        report.Row(scenario(), SAID, SAID, Verdict.SAME),
        report.Row(better, SAID, ELSE, Verdict.BETTER),
    ]
    page = report.page(rows, {"Ray": "1.2", "callboard": "3.4"})
    assert "With Ray 1.2, callboard 3.4: 2 scenarios, 1 same, 1 better" in page
    assert "| `x` | Something | H1 | same |" in page
    assert "| `x` | Something | H1 | better (H1) |" in page
    assert "- **H1** `handles/x`: because" in page


def test_the_terminal_shows_unexplained_differences() -> None:
    """Line by line, with what a failed program said."""
    rows = [report.Row(scenario(), SAID, Run(ELSE.lines, None, "some [error]"), Verdict.DIFFERENT)]
    console = Console(file=io.StringIO(), width=120)
    report.show(console, rows)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert {"-two", "+three", "callboard: did not end in time", "some [error]"} <= {
        line.strip() for line in shown.splitlines()
    }
    assert rows[0].verdict in FAILURES
