"""The functions of Ray's core API."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast, overload

from callboard import _handle, _names, _session
from callboard import _optionchecks as check
from callboard._arrival import all_of, some_of
from callboard._client import Client
from callboard._ref import ObjectRef
from callboard._terminal import Terminal
from callboard.exceptions import GetTimeoutError
from callboard_broker import deaths, host, ids
from callboard_broker.broker import Broker
from callboard_broker.clusterkey import load_key
from callboard_broker.operations import actors
from callboard_broker.records import ClientRecord, NodeRecord
from callboard_broker.segments import Segments
from callboard_broker.timing import Timing
from callboard_broker.wire import items, mapping, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callboard._typed import ActorHandle

T = TypeVar("T")

#: Arguments of Ray's `init` that make no difference here.
_IGNORED: Final = frozenset({
    "configure_logging", "dashboard_host", "dashboard_port", "include_dashboard", "job_config", "labels", "local_mode",
    "logging_config", "logging_format", "logging_level", "num_gpus", "object_store_memory",
    "_memory", "_temp_dir", "_metrics_export_port", "_node_ip_address", "_redis_password",
    "_redis_username", "_enable_object_reconstruction", "_tracing_startup_hook", "_skip_env_hook",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What `init` returns: where the callboard is. As a context manager it leaves the callboard at the end."""

    address: str
    namespace: str
    client_id: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        shutdown()

    @property
    def address_info(self) -> dict[str, str]:
        """Return the same as a dictionary, as Ray does."""
        return {"address": self.address, "namespace": self.namespace}

    def disconnect(self) -> None:
        """Leave the callboard."""
        shutdown()


def init(
    address: str | None = None,
    *,
    namespace: str | None = None,
    num_cpus: float | None = None,
    resources: Mapping[str, float] | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    ignore_reinit_error: bool = False,
    log_to_driver: bool = True,
    _system_config: Mapping[str, Any] | None = None,
    **ignored: Any,
) -> Context:
    """Join a callboard, or start one of one's own.

    Without an address ``CALLBOARD_ADDRESS`` is used; without that, an embedded server and a supervisor are started,
    which end with this program, however it ends.

    Args:
        address: ``redis://HOST:PORT/DB``, ``rediss://...``, ``unix:///PATH?db=DB`` or
            ``redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB``; ``"auto"`` demands a callboard that is running.
        namespace: Namespace of names; a random one if none is given.
        num_cpus: For one's own callboard: CPUs that it may promise to actors.
        resources: The same for resources of any name.
        runtime_env: ``env_vars`` and ``working_dir`` of all actors that this program makes, and that they make, unless
            these say otherwise.
        ignore_reinit_error: Do nothing if this process has joined one already.
        log_to_driver: Show what this program's actors write in its terminal.
        _system_config: ``actor_graceful_shutdown_timeout_ms``, ``heartbeat_timeout_ms``,
            ``idle_worker_killing_time_threshold_ms``, and ``max_deliveries`` for all actors that this program makes.
        **ignored: Other arguments of Ray's ``init``, accepted and ignored.

    Raises:
        RuntimeError: This process has joined a callboard already.
        ValueError: An argument is unknown or has a bad value.
        BrokerError: The server cannot be reached or used, or the cluster key is missing or wrong; each says the cure.
    """
    unknown = set(ignored) - _IGNORED
    if unknown:
        raise ValueError(f"init() has no argument {', '.join(sorted(unknown))}")
    if namespace is not None:
        check.namespace("namespace", namespace)
    environment = check.runtime_env("runtime_env", runtime_env or {})
    with _session._lock:  # noqa: SLF001 - two threads must not both start a callboard
        session = _session.joined()
        if session is not None and ignore_reinit_error:
            return _context(session.client)
        system = dict(_system_config or {})
        deliveries = check.positive("max_deliveries", system.pop("max_deliveries")) if "max_deliveries" in system else 0
        timing = Timing.from_environment().override(system)
        address = address or os.environ.get("CALLBOARD_ADDRESS")
        if address in {"auto", "local"}:
            from callboard._running import find_address  # noqa: PLC0415 - only needed here

            address = find_address() if address == "auto" else None
        session = _session.begin(lambda: _join(address, namespace, timing, _options(num_cpus, resources, timing)))
        session.terminal = Terminal.open(session.client) if log_to_driver else None
    session.client.runtime_env = environment
    session.client.max_deliveries = deliveries
    atexit.register(shutdown)
    return _context(session.client)


def _options(num_cpus: float | None, resources: Mapping[str, float] | None, timing: Timing) -> dict[str, str]:
    options = {f"{name}": value for name, value in timing.as_options().items()}
    if num_cpus is not None:
        options["num-cpus"] = str(num_cpus)
    if resources:
        options["resources"] = json.dumps(dict(resources))
    return options


def _join(address: str | None, namespace: str | None, timing: Timing, options: dict[str, str]) -> _session.Session:
    prefix = os.environ.get("CALLBOARD_PREFIX", "cb")
    local = None
    if address is None:
        from callboard._local import LocalCallboard  # noqa: PLC0415 - only needed here

        local = LocalCallboard.start(options)
    try:
        broker = Broker(local.address, local.key, prefix) if local else Broker(address or "", load_key(), prefix)
        with_checks = broker.connect("check")
        try:
            callboard = broker.check(with_checks)
            client = Client(broker, _identity(namespace), timing.beat_interval, Segments.of(callboard))
        finally:
            with_checks.close()
        client.graceful_ms = timing.graceful_ms_if_set
        # A supervisor that leaves before the first beat has been there nevertheless.
        client.supervision.look()
        _introduce(client)
    except BaseException:
        if local:
            local.stop()
        raise
    return _session.Session(client, local)


def _identity(namespace: str | None) -> ClientRecord:
    client = ids.new_client_id()
    return ClientRecord(
        id=client,
        kind="driver",
        host=host.host_id(),
        hostname=socket.gethostname(),
        pid=os.getpid(),
        start_time=host.process_start_time(os.getpid()) or 0,
        namespace=namespace or f"anonymous-{secrets.token_hex(8)}",
        job_id=client[:8],
    )


def _introduce(client: Client) -> None:
    """Tell the nodes of this host, so that the death of this process is noticed by the kernel's word."""
    for node in [text(name) for name in items(client.ask("SMEMBERS", client.keys.nodes))]:
        record = NodeRecord.decode(mapping(client.ask("HGETALL", client.keys.node(node))))
        if record.host == client.identity.host:
            signer = client.broker.signer("command", node)
            client.ask(*actors.command_node(client.keys, node, signer, "watch", client.id))


def _context(client: Client) -> Context:
    return Context(client.broker.address, client.identity.namespace, client.id)


def is_initialized() -> bool:
    """Tell whether this process has joined a callboard."""
    session = _session.current()
    return session is not None and not session.client.closed


def shutdown(_exiting_interpreter: bool = False) -> None:
    """Leave the callboard; harmless when repeated or never joined.

    The actors that this process owns end gracefully; a callboard that was started for it ends, too.
    """
    session = _session.end()
    if session is None:
        return
    atexit.unregister(shutdown)
    client = session.client
    try:
        if session.terminal and not session.local:
            session.terminal.catch_up()
        client.close(goodbye=True)
    finally:
        # What actors write at their end is shown, too, if they all end here and now.
        if session.local:
            session.local.stop()
        if session.terminal:
            session.terminal.close()


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...
@overload
def get(refs: list[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...
def get(refs: Any, *, timeout: float | None = None) -> Any:
    """Return the value of a reference, or the list of values of a list of references.

    Args:
        refs: A reference or a list of them.
        timeout: Seconds to wait at most; 0 only looks.

    Raises:
        GetTimeoutError: A value is not there in time.
        RayTaskError: The method raised; also an instance of what it raised.
        RayActorError: The actor is dead or unavailable.
        DeadlockError: The caller is an actor, and the value can never come, as that waits for the caller.
        RaySystemError: No supervisor lives any more. The call is kept: get it again when there is one.
        ValueError: What was given is no reference.
    """
    _check_timeout(timeout)
    if isinstance(refs, ObjectRef):
        if refs._result.status is None:  # noqa: SLF001
            _await_all([refs], 1, timeout)
        return refs._value()  # noqa: SLF001
    if not isinstance(refs, list):
        raise ValueError(  # noqa: TRY004 - Ray's class
            f"Invalid type of object refs, {type(refs)}, is given. 'refs' must either be a single ObjectRef or "
            "a list of "
            "ObjectRefs."
        )
    for ref in refs:
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"get() takes a list of references, but the list has a {type(ref).__qualname__}: {ref!r}")
    missing = [ref for ref in refs if ref._result.status is None]  # noqa: SLF001
    if missing:
        _await_all(missing, len(refs), timeout)
    return [ref._value() for ref in refs]  # noqa: SLF001


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and timeout < 0:
        raise ValueError(f"the timeout must be 0 or more seconds, not {timeout}")


def _await_all(missing: Sequence[ObjectRef[Any]], of: int, timeout: float | None) -> None:
    client, enough = _asked(missing), all_of(missing)
    if timeout is None and client.deadlocks is not None:
        client.deadlocks.wait(enough, missing)
    elif not client.wait(enough, timeout):
        open_refs = sum(not ref._result.done for ref in missing)  # noqa: SLF001
        raise GetTimeoutError(f"Get timed out: {open_refs} of {of} objects not ready after {timeout} s.")


def _asked(missing: Sequence[ObjectRef[Any]]) -> Client:
    """Return the client that is to wait for references, when it looks for those of others, too."""
    client = missing[0]._client  # noqa: SLF001
    client.require_open(missing[0])
    client.objects.want(missing)
    return client


def wait(
    refs: list[ObjectRef[T]], *, num_returns: int = 1, timeout: float | None = None, fetch_local: bool = True
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]:
    """Wait until so many references have a value or an error.

    Args:
        refs: Different references.
        num_returns: How many.
        timeout: Seconds to wait at most.
        fetch_local: Accepted for Ray's sake.

    Returns:
        Those that are ready (``num_returns`` at most) and the others, each in the order given.

    Raises:
        TypeError: ``refs`` is not a list of references.
        ValueError: A reference occurs twice, or there are not so many.
        RaySystemError: No supervisor lives any more.
    """
    del fetch_local
    if not isinstance(refs, list) or not all(isinstance(ref, ObjectRef) for ref in refs):
        raise TypeError(f"wait() takes a list of references, not {refs!r}")
    if len(set(refs)) != len(refs):
        raise ValueError("wait() takes different references, but one occurs twice")
    if not 0 < num_returns <= max(len(refs), 1):
        raise ValueError(f"num_returns must be between 1 and the number of references ({len(refs)}), not {num_returns}")
    if not refs:
        return [], []
    _check_timeout(timeout)
    missing = [ref for ref in refs if ref._result.status is None]  # noqa: SLF001
    needed = num_returns - (len(refs) - len(missing))
    if needed > 0:
        enough = all_of(missing) if needed == len(missing) else some_of(missing, needed)
        _asked(missing).wait(enough, timeout)
    ready = [ref for ref in refs if ref._result.done][:num_returns]  # noqa: SLF001
    chosen = set(ready)
    return ready, [ref for ref in refs if ref not in chosen]


def put(value: T) -> ObjectRef[T]:
    """Keep a value and return a reference to it, which may be passed on.

    Raises:
        TypeError: The value cannot be pickled, or is itself a reference.
    """
    return _session.client().objects.put(value)


def kill(actor: ActorHandle, *, no_restart: bool = True) -> None:
    """Kill an actor at once: its process gets SIGKILL, no hook runs, every call of it fails.

    When it returns, no call made afterwards runs. Killing a dead actor does nothing.

    Args:
        actor: Any handle to it.
        no_restart: Whether it is to stay dead. If not, a restart is spent, as in a crash.

    Raises:
        ValueError: What was given is no handle.
    """
    if not isinstance(actor, _handle.ActorHandle):
        raise ValueError(f"kill() only works for actors, not for {type(actor)}: pass an actor handle")  # noqa: TRY004
    hold = actor._hold  # noqa: SLF001
    client = hold.client
    client.require_open(actor)
    ask = client.outbound.ask
    if no_restart:
        state, node = items(ask(*actors.kill(client.keys, hold.actor, ids.new_token(), deaths.killed())))
        op, subject = "kill", hold.actor
        if state in {b"", b"DEAD"}:
            return
    else:
        node, token = items(ask("HMGET", client.keys.actor(hold.actor), "node", "token"))
        op, subject = "restart", ids.worker_client_id(hold.actor, maybe_text(token) or "")
    if isinstance(node, bytes) and node:
        name = text(node)
        ask(*actors.command_node(client.keys, name, client.broker.signer("command", name), op, subject))


def get_actor(name: str, namespace: str | None = None) -> ActorHandle:
    """Return a handle to a named actor; it counts like any other handle.

    Raises:
        ValueError: Nobody bears the name; or the name or the namespace is empty.
        TypeError: One of them is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an actor is a string, not {name!r}")
    if not name:
        raise ValueError("Please supply a non-empty value to get_actor")
    if namespace is not None:
        check.namespace("namespace", namespace)
    client = _session.client()
    where = namespace or client.identity.namespace
    found = _names.find(client, where, name)
    if found is None:
        raise ValueError(
            f"Failed to look up actor with name '{name}' in namespace '{where}'. Either no such actor was "
            "created, or it "
            "died, or it lives in another namespace: callboard.util.list_named_actors(all_namespaces=True) shows all."
        )
    return cast("ActorHandle", found)
