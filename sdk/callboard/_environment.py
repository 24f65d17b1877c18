"""What the process of an actor or a task takes over from whoever made it: environment, import path, namespace."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from callboard.exceptions import RuntimeEnvSetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callboard._client import Client


def merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``runtime_env`` in which one's own settings go before those of the program."""
    found = {**inherited, **own}
    if "env_vars" in found:
        found["env_vars"] = {**inherited.get("env_vars", {}), **own.get("env_vars", {})}
    return found


def describe(client: Client, runtime_env: Mapping[str, Any]) -> dict[str, Any]:
    """Return what travels of a client's surroundings, as JSON takes it."""
    return {
        # Where names are looked up: as whoever made it does.
        "namespace": client.identity.namespace,
        "job_id": client.identity.job_id,
        "runtime_env": dict(runtime_env),
        "path": [os.path.abspath(entry) for entry in sys.path],  # noqa: PTH100 - '' is the working directory
        "host": client.identity.host,
    }


def enter(described: Mapping[str, Any], host: str, whose: str) -> None:
    """Set up this process as described: environment, working directory, import path.

    Args:
        described: What `describe` returned; verified.
        host: Identity of this host.
        whose: Name of the class or the function, for the text of the error.

    Raises:
        RuntimeEnvSetupError: The working directory cannot be used here.
    """
    environment = described["runtime_env"]
    os.environ.update(environment.get("env_vars", {}))
    folder = environment.get("working_dir")
    if folder is not None:
        try:
            os.chdir(folder)
        except OSError as error:
            raise RuntimeEnvSetupError(
                f"the working_dir {folder!r} of the runtime_env of {whose} cannot be used on "
                f"{socket.gethostname()}: {error.strerror}. Put it there, or name one that is on every node."
            ) from error
        sys.path.insert(0, folder)
    if described["host"] == host:
        # On the creator's own host its modules are importable under the same paths.
        sys.path += [entry for entry in described["path"] if entry not in sys.path]
