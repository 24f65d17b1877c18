"""L2: every way to die, for real, and how `callboard list actors --detail` explains it."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.support.company import Maker
from tests.support.drivers import other_driver
from tests.support.holding import BOUND
from tests.support.looking import wait_for_death, wait_for_restart
from tests.support.mortals import Hooked, Mortal, pause
from tests.support.stage import HEARTBEAT_TIMEOUT, Stage
from tests.support.supervisors import another_supervisor, supervisor_elsewhere

import callboard
from callboard.cli import main
from callboard_broker.deaths import ExitType, Reason

#: Keys that Ray shows of an actor, and of its death.
KEYS = {
    "actor_id", "class_name", "state", "job_id", "name", "node_id", "pid", "ray_namespace", "serialized_runtime_env",
    "required_resources", "death_cause", "is_detached", "placement_group_id", "repr_name", "num_restarts",
}  # fmt: skip
CONTEXT_KEYS = {
    "error_message", "owner_id", "owner_ip_address", "node_ip_address", "pid", "ray_namespace", "class_name",
    "actor_id", "name", "never_started", "reason",
}  # fmt: skip
OWN_KEYS = {"mailbox_length", "current_call", "retried_call", "ending", "pending_reason"}


@dataclass
class Play:
    """What a way to die needs."""

    ray: ModuleType
    stage: Stage
    notes: str

    def mortal(self, **options: Any) -> Any:
        """Create an actor."""
        return self.ray.remote(Mortal).options(**options).remote(self.notes)


@pytest.fixture
def play(on_stage: Stage, tmp_path: Path) -> Play:
    """Join the shared callboard with a short graceful timeout."""
    config = {"heartbeat_timeout_ms": HEARTBEAT_TIMEOUT * 1000, "actor_graceful_shutdown_timeout_ms": 300}
    # Its lines would come among those of the command, which runs in this process.
    callboard.init(on_stage.address, namespace="deaths", _system_config=config, log_to_driver=False)
    return Play(callboard, on_stage, str(tmp_path / "notes"))


def die(way: str, **options: Any) -> Callable[[Play], str]:
    """Make a death of an actor's own doing."""

    def end(play: Play) -> str:
        mortal = play.mortal(**options)
        mortal.die.remote("die", way)
        wait_for_death(mortal)
        return str(mortal._actor_id)

    return end


def kill(play: Play) -> str:
    """Kill an actor that has lived."""
    mortal = play.mortal(name="victim")
    play.ray.get(mortal.pid.remote(), timeout=BOUND)
    play.ray.kill(mortal)
    return str(mortal._actor_id)


def kill_early(play: Play) -> str:
    """Kill an actor that cannot have started."""
    mortal = play.mortal(resources={"nothing has that": 1})
    play.ray.kill(mortal)
    return str(mortal._actor_id)


def forget(play: Play) -> str:
    """Let go of the last handle."""
    mortal = play.mortal()
    play.ray.get(mortal.pid.remote(), timeout=BOUND)
    return str(mortal._actor_id)


def terminate(play: Play) -> str:
    """End an actor gracefully."""
    mortal = play.mortal()
    play.ray.get(mortal.pid.remote(), timeout=BOUND)
    mortal.__ray_terminate__.remote()
    wait_for_death(mortal)
    return str(mortal._actor_id)


def crash_twice(play: Play) -> str:
    """Use up the only restart."""
    mortal = play.mortal(max_restarts=1)
    for number in (1, 2):
        mortal.die.remote(f"die {number}", "SIGKILL")
        if number == 1:
            wait_for_restart(mortal, 1)
    wait_for_death(mortal)
    return str(mortal._actor_id)


def lose_owner(play: Play) -> str:
    """Kill the actor that made it."""
    maker = play.ray.remote(Maker).remote(play.notes)
    child = play.ray.get(maker.make.remote(f"{play.notes}-of-the-child"), timeout=BOUND)
    play.ray.get(child.pid.remote(), timeout=BOUND)
    play.ray.kill(maker)
    wait_for_death(child)
    return str(child._actor_id)


def lose_program(play: Play) -> str:
    """Let the program that made it leave, although another one has a handle."""
    with other_driver("deaths") as other:
        other.do("from tests.support.mortals import Mortal")
        other.do(f"mortal = ray.remote(Mortal).options(name='mortal').remote({play.notes!r})")
        mortal = play.ray.get_actor("mortal")
        play.ray.get(mortal.pid.remote(), timeout=BOUND)
        other.leave()
        wait_for_death(mortal)
    return str(mortal._actor_id)


def fail_to_begin(play: Play) -> str:
    """Raise in the constructor."""
    mortal = play.ray.remote(Mortal).remote(play.notes, ("raise",))
    wait_for_death(mortal)
    return str(mortal._actor_id)


def linger(play: Play) -> str:
    """Take too long over the end."""
    lingerer = play.ray.remote(Hooked).remote(play.notes, lambda _: pause(60))
    play.ray.get(lingerer.pid.remote(), timeout=BOUND)
    lingerer.__ray_terminate__.remote()
    wait_for_death(lingerer)
    return str(lingerer._actor_id)


def lose_node(play: Play) -> str:
    """Stop a supervisor on another host, so that its heart stops, while one lives that may notice."""
    with supervisor_elsewhere(play.stage, '--resources={"far": 1}') as far, another_supervisor(play.stage):
        mortal = play.mortal(resources={"far": 1})
        play.ray.get(mortal.pid.remote(), timeout=BOUND)
        os.kill(far.pid, signal.SIGSTOP)
        wait_for_death(mortal, timeout=20)
    return str(mortal._actor_id)


DETAIL = "Worker exit detail: Worker exits unexpectedly with"
DEATHS = [
    (kill, "RAY_KILL", None, "was killed by `callboard.kill`"),
    (kill_early, "RAY_KILL", None, "was killed by `callboard.kill`"),
    (forget, "OUT_OF_SCOPE", None, "all references to the actor were removed"),
    (terminate, "WORKER_DIED", "INTENDED_USER_EXIT", "exit_actor() is called"),
    (die("exit_actor"), "WORKER_DIED", "INTENDED_USER_EXIT", "Worker exits by a user request"),
    (die("sys.exit(0)"), "WORKER_DIED", "INTENDED_USER_EXIT", "Worker exits by a user request"),
    (die("sys.exit(3)"), "WORKER_DIED", "SYSTEM_ERROR", f"{DETAIL} exit code 3 (sys.exit). max_restarts=0"),
    (die("os._exit(7)"), "WORKER_DIED", "SYSTEM_ERROR", f"{DETAIL} exit code 7. max_restarts=0: no restart is allowed"),
    (die("SIGKILL"), "WORKER_DIED", "SYSTEM_ERROR", f"{DETAIL} signal 9 (SIGKILL)"),
    (die("SIGSEGV"), "WORKER_DIED", "SYSTEM_ERROR", f"{DETAIL} signal 11 (SIGSEGV)"),
    (die("SIGTERM"), "WORKER_DIED", "SYSTEM_ERROR", f"{DETAIL} signal 15 (SIGTERM)"),
    (crash_twice, "WORKER_DIED", "SYSTEM_ERROR", "Restarts are used up: 1 of 1"),
    (lose_owner, "OWNER_DIED", None, "Owner exit detail: The actor is dead because it was killed by"),
    (lose_program, "OWNER_DIED", None, "Owner exit detail: the owner has left"),
    (lose_node, "NODE_DIED", None, "its node has died: node "),
    (fail_to_begin, "CREATION_FAILED", "USER_ERROR", "because of an error raised in its creation task"),
    (linger, "GRACEFUL_TIMEOUT", "INTENDED_SYSTEM_EXIT", "its graceful end took longer than 0.3 s"),
]
IDS = [
    "kill", "kill_early", "forget", "terminate", "exit_actor", "sys.exit(0)", "sys.exit(3)", "os._exit(7)", "SIGKILL",
    "SIGSEGV", "SIGTERM", "crash_twice", "lose_owner", "lose_program", "lose_node", "fail_to_begin", "linger",
]  # fmt: skip


@pytest.mark.parametrize(("end", "reason", "exit_type", "says"), DEATHS, ids=IDS)
def test_l2_each_death_is_explained(
    play: Play, end: Callable[[Play], str], reason: str, exit_type: str | None, says: str
) -> None:
    """L1, L2: the YAML has Ray's keys and ours, a reason, a sentence and, where it tells more, the type of the exit."""
    actor = end(play)
    wait_for_death(actor)
    ran = CliRunner().invoke(main, ["list", "actors", "--detail", "--filter", f"actor_id={actor}"])
    assert ran.exit_code == 0, ran.output
    (found,) = yaml.safe_load(ran.output)
    assert set(found) == KEYS | OWN_KEYS
    context = found["death_cause"]["actor_died_error_context"]
    assert set(context) - {"exit_type", "traceback"} == CONTEXT_KEYS
    assert (found["state"], context["reason"], context.get("exit_type")) == ("DEAD", reason, exit_type)
    assert says in context["error_message"]
    assert context["actor_id"] == actor
    assert (context["class_name"], context["ray_namespace"]) == (found["class_name"], "deaths")
    assert context["owner_id"]
    assert context["never_started"] is (end in {kill_early, fail_to_begin})
    if end is fail_to_begin:
        assert "Traceback (most recent call last)" not in context["traceback"].splitlines()[0]
        assert context["traceback"].rstrip().endswith("LookupError: the constructor fails on purpose")
        assert "_raise_in_constructor" in context["traceback"]


def test_l2_no_reason_is_left_out() -> None:
    """The list above has every reason and every type of exit that there are."""
    assert {reason for _, reason, _, _ in DEATHS} == {reason.value for reason in Reason}
    assert {kind for _, _, kind, _ in DEATHS if kind} == {kind.value for kind in ExitType if kind}
