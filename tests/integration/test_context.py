"""The runtime context (A7), references as arguments (C5) and objects of the dead (O7)."""

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.waiting import wait_until

import callboard
from callboard.util.state import get_actor


class Witness:
    def about(self) -> dict[str, Any]:
        context = callboard.get_runtime_context()
        return {
            "actor": context.get_actor_id(),
            "name": context.get_actor_name(),
            "namespace": context.namespace,
            "job": context.get_job_id(),
            "node": context.get_node_id(),
            "pid": context.get_pid(),
            "reconstructed": context.was_current_actor_reconstructed,
        }

    def me(self) -> Any:
        return callboard.get_runtime_context().current_actor

    def after(self, gate: str, value: Any) -> Any:
        while not Path(gate).exists():
            threading.Event().wait(0.01)
        return value

    def same(self, value: Any) -> Any:
        return value

    def make(self) -> Any:
        return [callboard.put("mine")]


def test_a7_an_actor_knows_who_and_where_it_is(ray: ModuleType) -> None:
    """Ids, name, namespace, process, and a handle to itself."""
    witness = ray.remote(Witness).options(name="witness").remote()
    about = ray.get(witness.about.remote(), timeout=10)
    context = ray.get_runtime_context()
    assert about["actor"] == witness._actor_id
    assert about["name"] == "witness"
    assert about["namespace"] == context.namespace
    assert about["job"] == context.get_job_id()
    assert about["node"]
    assert about["pid"] != os.getpid()
    assert about["reconstructed"] is False
    assert ray.get(witness.me.remote(), timeout=10) == witness


def test_a7_a_driver_is_no_actor(ray: ModuleType) -> None:
    """What only an actor has is None or an error that says so."""
    context = ray.get_runtime_context()
    assert context.get_actor_id() is None
    with pytest.raises(RuntimeError, match="inside an actor"):
        _ = context.current_actor
    with pytest.raises(RuntimeError, match="inside an actor"):
        _ = context.was_current_actor_reconstructed


def test_c5_a_pending_argument_holds_back_only_its_own_caller(ray: ModuleType, tmp_path: Path) -> None:
    """A call that waits for its argument waits at its caller, and that caller's later calls behind it, in order."""
    slow, serial = ray.remote(Witness).remote(), ray.remote(Witness).remote()
    gate = tmp_path / "gate"
    pending = slow.after.remote(str(gate), "late")
    first, second = serial.same.remote(pending), serial.same.remote("behind")
    ready, _ = ray.wait([second], timeout=0.2)
    assert ready == []
    gate.touch()
    assert ray.get([first, second], timeout=10) == ["late", "behind"]


def test_o7_an_object_of_a_dead_owner_is_an_error_not_a_hang(ray: ModuleType) -> None:
    """The reference stays, its value is gone with the process that made it."""
    owner = ray.remote(Witness).remote()
    (ref,) = ray.get(owner.make.remote(), timeout=10)
    actor = owner._actor_id
    ray.kill(owner)
    wait_until(lambda: has_died(actor), what="the owner to be gone")
    with pytest.raises(ray.exceptions.OwnerDiedError):
        ray.get(ref, timeout=20)


def has_died(actor: str) -> bool:
    """Tell whether an actor is DEAD."""
    found = get_actor(actor)
    return found is not None and found.state == "DEAD"
