"""Identifiers: random, in hexadecimal, so that they need no quoting in keys, shells and logs."""

from __future__ import annotations

import secrets


def new_callboard_id() -> str:
    """Make the id of a callboard, which distinguishes those with the same key and prefix: 32 hexadecimal characters."""
    return secrets.token_hex(16)


def new_actor_id() -> str:
    """Make an actor id: 32 hexadecimal characters."""
    return secrets.token_hex(16)


def new_client_id() -> str:
    """Make a client id: 24 hexadecimal characters."""
    return secrets.token_hex(12)


def new_node_id() -> str:
    """Make a node id: 24 hexadecimal characters."""
    return secrets.token_hex(12)


def new_token() -> str:
    """Make the random half of an incarnation: a number can come back after a rollback of Redis, a token cannot."""
    return secrets.token_hex(8)


def worker_client_id(actor: str, token: str) -> str:
    """Return the client id of the worker that is an actor's incarnation."""
    return f"{actor}.{token}"


def incarnation(worker: str) -> tuple[str, str]:
    """Return the actor and the token that a worker's client id names."""
    actor, _, token = worker.rpartition(".")
    return actor, token


def arguments_id(call: str) -> str:
    """Return the id of the object that has the arguments of a call, when their segment cannot be opened."""
    return f"{call}.arguments"


def task_id(call: str) -> str:
    """Return the id of a task from that of the call: the same in the letters that RQ allows for jobs."""
    return call.replace("/", "-").replace(".", "_")
