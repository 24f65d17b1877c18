"""Opening a socket to Redis.

redis-py reads addresses, and opens what needs TLS or has options of its own. Sockets for plain addresses are opened
here, and the greeting is one packet: a worker that has just been forked pays for every page that it touches, and
redis-py's way through pool and connection was a fifth of what it takes to become an actor.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from redis.connection import Connection, ConnectionPool, UnixDomainSocketConnection, parse_url

from callboard_broker.addresses import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callboard_broker.wire import Command

#: The role of a server that may be written to.
PRIMARY: Final = b"master"
#: What a plain address has at most.
_PLAIN: Final = {"connection_class", "path", "host", "port", "username", "password", "db"}


def open_socket(address: str, name: str, timeout: float) -> tuple[socket.socket, list[Command]]:
    """Connect to an address once.

    Args:
        address: As in `callboard_broker.addresses`.
        name: What the server is to call the connection; may be empty.
        timeout: Seconds for each step; the socket keeps it.

    Returns:
        The socket, and what is to be sent on it before anything else. The answer is to be `PRIMARY` where it is a list.

    Raises:
        OSError, redis.RedisError: Nobody answers there, or somebody who refuses us.
        ValueError: The address is not a Redis URL.
    """
    service = Service.parse(address)
    if service is not None:
        connected, greeting = open_socket(service.primary(timeout), name, timeout)
        # A sentinel that has not heard of a failover yet names what is a replica now.
        return connected, [*greeting, ("ROLE",)]
    settings: Mapping[str, Any] = parse_url(address)  # type: ignore[no-untyped-call]
    local = settings.get("connection_class") is UnixDomainSocketConnection
    if not settings.keys() <= _PLAIN or ("connection_class" in settings and not local):
        return _opened_by_redis_py(address, name, timeout), []
    if local:
        connected = _to_path(settings.get("path", ""), timeout)
    else:
        connected = socket.create_connection((settings.get("host", "localhost"), settings.get("port", 6379)), timeout)
    return connected, _greeting(settings, name)


def _to_path(path: str, timeout: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(timeout)
    try:
        connected.connect(path)
    except BaseException:
        connected.close()
        raise
    return connected


def _greeting(settings: Mapping[str, Any], name: str) -> list[Command]:
    commands: list[Command] = []
    user, password = settings.get("username"), settings.get("password", "")
    if user or password:
        commands.append(("AUTH", user, password) if user else ("AUTH", password))
    if settings.get("db"):
        commands.append(("SELECT", settings["db"]))
    if name:
        commands.append(("CLIENT", "SETNAME", name))
    return commands


def _opened_by_redis_py(address: str, name: str, timeout: float) -> socket.socket:
    pool = ConnectionPool.from_url(
        address,
        protocol=2,
        client_name=name or None,
        # Looking up redis-py's version to tell the server takes 20 ms.
        driver_info=None,
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
    )
    connection = pool.make_connection()
    assert isinstance(connection, Connection | UnixDomainSocketConnection)
    connection.connect_check_health(check_health=False, retry_socket_connect=False)
    connected = connection._sock  # noqa: SLF001 - handed over: redis-py offers no public way
    assert isinstance(connected, socket.socket)
    connection._sock = None  # noqa: SLF001 - or its destructor would close the socket
    return connected
