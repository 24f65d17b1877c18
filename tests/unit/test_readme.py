"""The README: what it shows is what there is."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from callboard.cli._main import main as cli
from callboard_broker.keys import Keyspace

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def keys() -> set[str]:
    """Make every key that there is, with its parameters' names in place of values, and as a pattern with stars."""
    space = Keyspace()
    found = set()
    for name, member in vars(Keyspace).items():
        if isinstance(member, property):
            found.add(getattr(space, name).decode())
        elif inspect.isfunction(member) and not name.startswith("_"):
            parameters = list(inspect.signature(member).parameters)[1:]
            made = member(space, *[f"<{parameter}>" for parameter in parameters])
            found |= {key.decode() for key in (made if isinstance(made, dict) else [made])}
    return found | {re.sub("<[a-z_]+>", "*", key) for key in found}


def test_the_first_program_is_an_example() -> None:
    """What the README shows first is a file that the examples' test runs."""
    assert blocks("python") == [(ROOT / "examples" / "first_program.py").read_text(encoding="utf-8")]


def test_make_targets_exist() -> None:
    """Every `make X` is in the Makefile."""
    named = set(re.findall(r"\bmake ([a-z]+)", "\n".join(blocks("sh"))))
    named |= set(re.findall(r"`make ([a-z]+)`", README))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "check"} <= named <= targets


def test_commands_exist() -> None:
    """Every `callboard X` is a command, and its options are its own."""
    lines = [line.strip() for line in "\n".join(blocks("sh")).splitlines()]
    lines += re.findall(r"`(callboard [^`]+)`", README)
    used = [line.partition("#")[0].split() for line in lines if line.startswith("callboard ")]
    for _, name, *rest in used:
        if name == "--help":
            continue
        command = cli.commands[name]
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        if name != "list":
            assert {word for word in rest if word.startswith("--")} <= options, rest
    assert {"up", "down", "status", "list", "supervisor", "kill", "key", "demo"} <= {words[1] for words in used} | {
        "demo"
    }


def test_keys_are_those_of_the_code() -> None:
    """Every Redis key in the README is one that keys.py makes."""
    named = set(re.findall(r"cb:\{[^'`\s]+", README))
    assert len(named) > 10
    assert named - keys() == set()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    """Every relative link names a file."""
    assert (ROOT / target).exists()


def test_anchors_lead_somewhere() -> None:
    """Every link within the README names a heading."""
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in README.splitlines()
        if line[:1] == "#"
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_the_client_of_the_compose_file_runs_the_first_program() -> None:
    """As the README says."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["client"]["command"][-1] == "examples/first_program.py"


def test_the_guarantees_are_all_there() -> None:
    """I1 to I10, each in one row of the table."""
    assert re.findall(r"^\| \*\*(I\d+)\*\* ", README, re.MULTILINE) == [f"I{number}" for number in range(1, 11)]


def test_every_kind_of_behaviour_is_in_the_table() -> None:
    """The feature table names each topic, with a state that says yes or planned."""
    section = README.partition("## What works")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")][
        1:
    ]
    assert {row[0][0] for row in rows} == set("HOKXGRCNLA")
    assert all(row[2].startswith(("yes", "planned")) for row in rows)
