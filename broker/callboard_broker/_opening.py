"""Opening a socket to Redis.

Sockets for plain addresses are opened here, and the greeting is one packet: a worker that has just been forked pays for
every page that it touches, and redis-py's way through pool and connection was a fifth of what it takes to become an
actor. redis-py opens what needs TLS or has options of its own.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from callboard_broker.addresses import Place, Service

if TYPE_CHECKING:
    from callboard_broker.packing import Command

#: The role of a server that may be written to.
PRIMARY: Final = b"master"


def open_socket(address: str, name: str, timeout: float) -> tuple[socket.socket, list[Command]]:
    """Connect to an address once.

    Args:
        address: As in `callboard_broker.addresses`.
        name: What the server is to call the connection; may be empty.
        timeout: Seconds for each step; the socket keeps it.

    Returns:
        The socket, and what is to be sent on it before anything else. The answer is to be `PRIMARY` where it is a list.

    Raises:
        BrokerRefusedError: Somebody refuses us, and not only what is to be sent.
        OSError: Nobody answers there.
        ValueError: The address is not a Redis URL.
    """
    place = Place.parse(address)
    if place is not None:
        if place.path:
            connected = _to_path(place.path, timeout)
        else:
            connected = socket.create_connection((place.host, place.port), timeout)
        return connected, _greeting(place, name)
    from callboard_broker import redispy  # noqa: PLC0415 - most processes do without it

    service = Service.parse(address)
    if service is None:
        return redispy.opened(address, name, timeout), []
    connected, greeting = open_socket(redispy.primary(service, timeout), name, timeout)
    # A sentinel that has not heard of a failover yet names what is a replica now.
    return connected, [*greeting, ("ROLE",)]


def _to_path(path: str, timeout: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(timeout)
    try:
        connected.connect(path)
    except BaseException:
        connected.close()
        raise
    return connected


def _greeting(place: Place, name: str) -> list[Command]:
    commands: list[Command] = []
    if place.user or place.password:
        commands.append(("AUTH", place.user, place.password) if place.user else ("AUTH", place.password))
    if place.db not in {"", "0"}:
        commands.append(("SELECT", place.db))
    if name:
        commands.append(("CLIENT", "SETNAME", name))
    return commands
