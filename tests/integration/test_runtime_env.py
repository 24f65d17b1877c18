"""A2: what the processes of actors find: environment variables, a working directory, the creator's modules."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.stage import Stage

import callboard

BOUND = 20


class Looker:
    """Look around."""

    def variable(self, name: str) -> str | None:
        """Return an environment variable."""
        return os.environ.get(name)

    def folder(self) -> str:
        """Return the working directory."""
        return str(Path.cwd())

    def load(self, module: str) -> str:
        """Import a module and return what it says."""
        import importlib  # noqa: PLC0415 - pickled by value

        return str(importlib.import_module(module).WORD)

    def child(self, name: str) -> Any:
        """Return a variable as an actor sees it that this one makes."""
        child: callboard.ActorHandle = callboard.remote(Looker).remote()
        return callboard.get(child.variable.remote(name), timeout=BOUND)


def test_a2_env_vars_are_there_before_the_constructor(ray: ModuleType) -> None:
    """Those of the class, with those of `.options` in their place; other actors do not have them."""

    class Early(Looker):
        def __init__(self) -> None:
            self.seen = os.environ.get("CB_WORD")

        def early(self) -> str | None:
            return self.seen

    marked = ray.remote(runtime_env={"env_vars": {"CB_WORD": "class"}})(Early)
    assert ray.get(marked.remote().early.remote(), timeout=BOUND) == "class"
    other = marked.options(runtime_env={"env_vars": {"CB_WORD": "options"}}).remote()
    assert ray.get(other.early.remote(), timeout=BOUND) == "options"
    assert ray.get(ray.remote(Looker).remote().variable.remote("CB_WORD"), timeout=BOUND) is None


def test_a2_env_vars_survive_a_restart(ray: ModuleType) -> None:
    """The next process has them, too."""
    actor = ray.remote(Looker).options(max_restarts=1, runtime_env={"env_vars": {"CB_WORD": "x"}}).remote()
    ray.get(actor.folder.remote(), timeout=BOUND)
    ray.kill(actor, no_restart=False)
    assert ray.get(actor.variable.options(max_task_retries=-1).remote("CB_WORD"), timeout=BOUND) == "x"


def test_a2_working_dir_is_where_the_actor_runs_and_imports(ray: ModuleType, tmp_path: Path) -> None:
    """It comes first on the import path."""
    (tmp_path / "only_in_folder.py").write_text("WORD = 'found'\n")
    actor = ray.remote(Looker).options(runtime_env={"working_dir": str(tmp_path)}).remote()
    assert ray.get(actor.folder.remote(), timeout=BOUND) == str(tmp_path)
    assert ray.get(actor.load.remote("only_in_folder"), timeout=BOUND) == "found"


def test_a2_a_working_dir_that_is_gone(ray: ModuleType, tmp_path: Path) -> None:
    """The actor is dead with an error that names folder and host."""
    gone = tmp_path / "gone"
    gone.mkdir()
    marked = ray.remote(Looker).options(runtime_env={"working_dir": str(gone)})
    gone.rmdir()
    with pytest.raises(ray.exceptions.ActorDiedError, match=r"(?s)RuntimeEnvSetupError.*gone.*No such file"):
        ray.get(marked.remote().folder.remote(), timeout=BOUND)


def test_a1_the_runtime_env_of_a_program(on_stage: Stage) -> None:
    """What `init` is given holds for all actors, also for those that actors make; nearer settings win."""
    variables = {"CB_WORD": "program", "CB_OTHER": "other"}
    callboard.init(on_stage.address, runtime_env={"env_vars": variables})
    lookers = callboard.remote(Looker).options(runtime_env={"env_vars": {"CB_WORD": "actor"}})
    actor: callboard.ActorHandle = lookers.remote()
    words = [actor.variable.remote(name) for name in variables]
    assert callboard.get(words, timeout=BOUND) == ["actor", "other"]
    assert callboard.get([actor.child.remote(name) for name in variables], timeout=BOUND) == ["actor", "other"]
    callboard.shutdown()
    with pytest.raises(ValueError, match="only accepts env_vars and working_dir"):
        callboard.init(on_stage.address, runtime_env={"pip": ["x"]})


def test_a2_the_programs_own_modules_are_importable(on_stage: Stage, tmp_path: Path) -> None:
    """A class of a module beside the program works, and its functions may import others."""
    (tmp_path / "parts.py").write_text("WORD = 'beside'\n\nclass Part:\n    def word(self):\n        return WORD\n")
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import callboard as ray
            from parts import Part

            @ray.remote
            class Mine:
                def word(self):
                    import parts
                    return parts.WORD

            print(ray.get([ray.remote(Part).remote().word.remote(), Mine.remote().word.remote()]))
            ray.shutdown()
            """
        )
    )
    environ = {**os.environ, "CALLBOARD_ADDRESS": on_stage.address}
    done = subprocess.run([sys.executable, str(program)], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "['beside', 'beside']\n"), done.stderr
