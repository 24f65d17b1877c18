"""One side's process: ``python -m bench.side NAME``. Reads commands as JSON lines, and answers each with one."""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, Self

from bench.catalogue import workloads
from bench.stages import STAGES, versions

if TYPE_CHECKING:
    from bench.workload import Measure


@dataclass(frozen=True, slots=True)
class Command:
    """What a side is asked to do.

    Attributes:
        do: ``prepare`` a workload, or ``measure`` what is prepared.
        workload: For ``prepare``: its name.
        seconds: For ``measure``: how long.
    """

    do: str
    workload: str = ""
    seconds: float = 0.0

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a command.

        Raises:
            ValueError: It is none.
        """
        try:
            found = cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"not a command: {line!r} ({error})") from error
        if not (found.do == "prepare" and found.workload) and not (found.do == "measure" and found.seconds > 0):
            raise ValueError(f"not a command: {line!r}")
        return found

    def line(self) -> str:
        """Write it."""
        return json.dumps(asdict(self)) + "\n"


class Side:
    """What is prepared on a side."""

    def __init__(self, name: str, stage: Any) -> None:
        self._name = name
        self._stage = stage
        self._prepared = ExitStack()
        self._measure: Measure | None = None

    def answer(self, command: Command) -> dict[str, object]:
        """Do what is asked; whatever fails is the answer."""
        try:
            return {"sample": self._do(command)}
        except Exception:  # noqa: BLE001 - it is told whole
            return {"error": traceback.format_exc()}

    def forget(self) -> None:
        """End what is prepared."""
        # The handles are in it.
        self._measure = None
        self._prepared.close()

    def _do(self, command: Command) -> dict[str, float]:
        if command.do == "measure":
            if self._measure is None:
                raise ValueError("nothing is prepared, so there is nothing to measure")
            return self._measure(command.seconds)
        self.forget()
        prepare = workloads()[command.workload].on(self._name)
        self._measure = self._prepared.enter_context(prepare(self._stage))
        return {}


def serve(name: str, commands: IO[str], answers: IO[str]) -> None:
    """Answer commands until there are no more."""

    def say(answer: dict[str, object]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    with STAGES[name]() as stage:
        side = Side(name, stage)
        say({"versions": versions(name)})
        for line in commands:
            say(side.answer(Command.parse(line)))
        side.forget()


def main() -> None:
    """Serve on standard input and what was standard output; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.stdin, answers)


if __name__ == "__main__":
    main()
