"""``python -m callboard_supervisor``: run a node."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from callboard_broker import host, ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import load_key
from callboard_broker.errors import RayError
from callboard_broker.segments import Segments
from callboard_broker.timing import Timing
from callboard_supervisor.config import Config
from callboard_supervisor.daemon import Daemon


@click.command(context_settings={"auto_envvar_prefix": "CALLBOARD"})
@click.option(
    "--address",
    envvar="CALLBOARD_ADDRESS",
    required=True,
    help="redis://, rediss://, unix:// or redis+sentinel:// URL.",
)
@click.option("--prefix", default="cb", show_default=True, help="First part of every Redis key.")
@click.option("--num-cpus", type=float, default=None, help="CPUs to promise to actors; default: those of this machine.")
@click.option("--resources", default="{}", help="JSON of other resources, for example '{\"gpu\": 1}'.")
@click.option("--graceful-timeout", type=float, default=None, help="Seconds that an actor may take over its end.")
@click.option(
    "--heartbeat-timeout", type=float, default=None, help="Seconds after which a silent node or client is lost."
)
@click.option("--idle-timeout", type=float, default=None, help="Seconds without a task after which a worker ends.")
@click.option("--log-dir", type=click.Path(path_type=Path), default=None, help="Where the output of workers goes.")
@click.option(
    "--log-age",
    type=click.FloatRange(min=0, min_open=True),
    default=24 * 3600.0,
    show_default=True,
    help="Seconds for which the output of those who are gone stays.",
)
@click.option("--preload", default="", help="Modules to import once for all workers, separated by commas.")
@click.option("--tied", is_flag=True, hidden=True, help="End when standard input does.")
@click.option("--notify-fd", type=int, default=None, hidden=True, help="Write a line there when ready.")
def main(
    address: str,
    prefix: str,
    num_cpus: float | None,
    resources: str,
    graceful_timeout: float | None,
    heartbeat_timeout: float | None,
    idle_timeout: float | None,
    log_dir: Path | None,
    log_age: float,
    preload: str,
    *,
    tied: bool,
    notify_fd: int | None,
) -> None:
    """Run a node: start, watch, restart and end the actors that are created on a callboard."""
    logging.basicConfig(
        level=os.environ.get("CALLBOARD_LOG_LEVEL", "WARNING"), format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        timing = Timing.from_environment()
        timing = replace(
            timing,
            graceful_timeout=graceful_timeout or timing.graceful_timeout,
            heartbeat_timeout=heartbeat_timeout or timing.heartbeat_timeout,
            idle_timeout=idle_timeout or timing.idle_timeout,
        )
        broker = Broker(address, load_key(create=True), prefix)
        wire = broker.connect("check", patience=10.0)
        callboard = broker.check(wire)
        wire.close()
        found = json.loads(resources)
        if not isinstance(found, dict):
            raise ValueError(f"--resources takes a JSON object, not {resources!r}")  # noqa: TRY004 - one handler below
        cpus = float(len(os.sched_getaffinity(0))) if num_cpus is None else num_cpus
        config = Config(
            broker=broker,
            node=ids.new_node_id(),
            host=host.host_id(),
            timing=timing,
            resources={"CPU": cpus, **{name: float(amount) for name, amount in found.items()}},
            log_dir=_log_dir(log_dir),
            log_age=log_age,
            tied=tied,
            segments=Segments.of(callboard),
            preload=tuple(module for module in preload.split(",") if module),
        )
    except (RayError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(Daemon(config).run(notify_fd))


def _log_dir(given: Path | None) -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    found = given or state / "callboard" / "logs"
    found.mkdir(parents=True, exist_ok=True, mode=0o700)
    return found


if __name__ == "__main__":
    main()
