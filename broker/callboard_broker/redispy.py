"""What is left to redis-py: addresses with options, TLS, sentinels, and clients for libraries that want one.

Imported where it is needed only: redis-py takes 8 MB of a process and a tenth of a second of its start, which actors
and programs with a plain address need not pay for.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, UnixDomainSocketConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from callboard_broker.addresses import Service
from callboard_broker.errors import BrokerRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Sentinels(Sentinel):
    """Sentinels whose answers are told to people, where redis-py shows them its objects."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary of a service.

        Raises:
            redis.ConnectionError: No sentinel answers that knows it.
        """
        said = []
        for sentinel in self.sentinels:
            place = sentinel.connection_pool.connection_kwargs
            try:
                masters: dict[str, Any] = sentinel.sentinel_masters()  # type: ignore[assignment] # no list with RESP2
            except redis.RedisError as error:
                answer = f"{error}"
            else:
                state = masters.get(service_name)
                if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                    return state["ip"], state["port"]
                answer = f"{service_name!r} is down" if state else f"does not know {service_name!r}"
            said.append(f"the sentinel {place['host']}:{place['port']}: {answer}")
        raise redis.ConnectionError("; ".join(said))


def opened(address: str, name: str, timeout: float) -> socket.socket:
    """Connect to an address that names one server.

    Args:
        address: Of any form but that with sentinels.
        name: What the server is to call the connection; may be empty.
        timeout: Seconds for each step; the socket keeps it.

    Raises:
        BrokerRefusedError: The server refuses us.
        OSError: Nobody answers there.
        ValueError: It is no address.
    """
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
    with _errors():
        connection.connect_check_health(check_health=False, retry_socket_connect=False)
    connected = connection._sock  # noqa: SLF001 - handed over: redis-py offers no public way
    assert isinstance(connected, socket.socket)
    connection._sock = None  # noqa: SLF001 - or its destructor would close the socket
    return connected


def primary(service: Service, timeout: float) -> str:
    """Ask the sentinels, one after the other, and return the primary's address.

    It may have become another a moment later, and who asks a sentinel that is cut off learns the old one: whoever
    connects asks the server for its role.

    Args:
        service: Whose.
        timeout: Seconds for each step.

    Raises:
        BrokerRefusedError: A sentinel refuses us.
        OSError: No sentinel answers that knows it; the text has what each of them said.
    """
    with _errors():
        host, port = _discovery(service, timeout).discover_master(service.name)
    return service.server(host, port, service.credentials)


def client(address: str, timeout: float) -> redis.Redis:
    """Return a client of redis-py for an address; with sentinels it asks for the primary whenever it connects.

    Args:
        address: Of any form.
        timeout: Seconds for each step of asking sentinels.

    Raises:
        ValueError: It is no address.
    """
    service = Service.parse(address)
    if service is None:
        # Looking up redis-py's version to tell the server takes 20 ms.
        return redis.Redis.from_url(address, driver_info=None)
    kind = _settings(service, service.credentials)
    found: redis.Redis = _discovery(service, timeout).master_for(service.name, **kind)  # type: ignore[no-untyped-call]
    return found


def _discovery(service: Service, timeout: float) -> _Sentinels:
    kind = {
        **_settings(service, credentials=""),
        **service.theirs,
        "db": 0,
        "protocol": 2,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # Another sentinel may answer at once, and whoever asks has patience of their own.
        "retry": Retry(NoBackoff(), 0),
    }
    return _Sentinels(service.sentinels, sentinel_kwargs=kind)  # type: ignore[no-untyped-call]


def _settings(service: Service, credentials: str) -> dict[str, Any]:
    """Return how redis-py's clients are to connect, but for where."""
    settings: dict[str, Any] = parse_url(service.server("nowhere", 0, credentials))  # type: ignore[no-untyped-call]
    own = {name: value for name, value in settings.items() if name not in {"host", "connection_class"}}
    return {**own, "ssl": service.tls, "driver_info": None}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise redis-py's errors as ours, so that who handles them need not import it."""
    try:
        yield
    except (redis.AuthenticationError, redis.ResponseError) as error:
        raise BrokerRefusedError(f"{error}") from None
    except redis.RedisError as error:
        raise ConnectionError(f"{error}") from None
