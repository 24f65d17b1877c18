"""Addresses: what they look like, how they are shown, and where a primary is of which only the sentinels are named.

    redis://[USER:PASSWORD@]HOST:PORT/DB        rediss://... for TLS
    unix://[USER:PASSWORD@]/PATH?db=DB
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB]        rediss+sentinel://... for TLS

Those after ``?`` are options of redis-py. Of a sentinel address user and password are those of the servers; the
sentinels' own are the options ``sentinel_username`` and ``sentinel_password``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an address may look like, for the texts of errors.
FORMS: Final = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, unix:///PATH or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB"
)
_SENTINEL: Final = "+sentinel"
_SENTINEL_PORT: Final = 26379
#: Options that are for the sentinels alone.
_THEIRS: Final = ("sentinel_username", "sentinel_password")
#: How the names of options end that nobody may see.
_SECRET: Final = "password"  # noqa: S105 - a name


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


@dataclass(frozen=True, slots=True)
class Service:
    """Servers of which one is the primary, as sentinels say.

    Attributes:
        name: What the sentinels call them.
        sentinels: Hosts and ports of the sentinels, at least one.
        db: Database of the primary; empty for the first.
        credentials: User and password for the servers, as in an address; may be empty.
        tls: Whether servers and sentinels speak TLS.
        options: Of redis-py, for servers and sentinels.
        theirs: User name and password for the sentinels, as redis-py takes them.
    """

    name: str
    sentinels: tuple[tuple[str, int], ...]
    db: str
    credentials: str = field(repr=False)
    tls: bool
    options: str = field(repr=False)
    theirs: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, address: str) -> Service | None:
        """Read an address; None when it names no sentinels.

        Raises:
            ValueError: It does, but cannot be understood.
        """
        parts = urlsplit(address)
        if not parts.scheme.endswith(_SENTINEL):
            return None
        name, _, db = parts.path.removeprefix("/").partition("/")
        credentials, _, hosts = parts.netloc.rpartition("@")
        if not name or not hosts:
            raise ValueError("it must name sentinels and their service, as in redis+sentinel://HOST:PORT/SERVICE")
        if db and not db.isdecimal():
            raise ValueError(f"{db!r} is no number of a database")
        options = parse_qsl(parts.query)
        return cls(
            name=name,
            sentinels=tuple(map(_place, hosts.split(","))),
            db=db,
            credentials=credentials,
            tls=parts.scheme == f"rediss{_SENTINEL}",
            options=urlencode([pair for pair in options if pair[0] not in _THEIRS]),
            theirs={key.removeprefix("sentinel_"): value for key, value in options if key in _THEIRS},
        )

    def primary(self, timeout: float) -> str:
        """Ask the sentinels, one after the other, and return the primary's address.

        It may have become another a moment later, and who asks a sentinel that is cut off learns the old one: whoever
        connects asks the server for its role.

        Args:
            timeout: Seconds for each step.

        Raises:
            redis.RedisError: No sentinel answers that knows it; the text has what each of them said.
        """
        host, port = self._discovery(timeout).discover_master(self.name)
        return self._server(host, f"{port}", self.credentials)

    def client(self, timeout: float) -> redis.Redis:
        """Return a client of redis-py that asks for the primary whenever it connects.

        Args:
            timeout: Seconds for each step of asking.
        """
        settings = _settings(self._server("primary", "0", self.credentials))
        own = {name: value for name, value in settings.items() if name not in {"host", "port"}}
        found: redis.Redis = self._discovery(timeout).master_for(self.name, **own)  # type: ignore[no-untyped-call]
        return found

    def _discovery(self, timeout: float) -> _Sentinels:
        settings = _settings(self._server("sentinel", "0", ""))
        own = {name: value for name, value in settings.items() if name not in {"host", "port", "db"}}
        bounds = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        # Not tried again, as another sentinel may answer at once, and whoever asks has patience of their own.
        kind = {**own, **self.theirs, **bounds, "retry": Retry(NoBackoff(), 0), "protocol": 2}
        return _Sentinels(self.sentinels, sentinel_kwargs=kind)  # type: ignore[no-untyped-call]

    def _server(self, host: str, port: str, credentials: str) -> str:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        netloc = f"{credentials}@{place}" if credentials else place
        return urlunsplit(("rediss" if self.tls else "redis", netloc, f"/{self.db}", self.options, ""))


def client(address: str, timeout: float) -> redis.Redis:
    """Return a client of redis-py for an address, for what is left to libraries that want one.

    Args:
        address: Of any form.
        timeout: Seconds that it takes at most to ask a sentinel.

    Raises:
        ValueError: It is no address.
    """
    service = Service.parse(address)
    if service is not None:
        return service.client(timeout)
    # Looking up redis-py's version to tell the server takes 20 ms.
    return redis.Redis.from_url(address, driver_info=None)


def without_password(address: str) -> str:
    """Return an address that may be shown."""
    scheme, separator, rest = address.partition("://")
    credentials, at, place = rest.rpartition("@")
    if at:
        address = f"{scheme}{separator}{credentials.partition(':')[0]}:***@{place}"
    before, question, options = address.partition("?")
    pairs = (option.partition("=") for option in options.split("&"))
    shown = "&".join(f"{name}{equals}{'***' if name.endswith(_SECRET) else value}" for name, equals, value in pairs)
    return f"{before}{question}{shown}"


def _place(text: str) -> tuple[str, int]:
    place = urlsplit(f"//{text}")
    if not place.hostname:
        raise ValueError(f"{text!r} is no host")
    return place.hostname, place.port or _SENTINEL_PORT


def _settings(address: str) -> dict[str, Any]:
    """Return what redis-py makes of an address, for its clients."""
    settings: dict[str, Any] = parse_url(address)  # type: ignore[no-untyped-call]
    if settings.pop("connection_class", None) is not None:
        settings["ssl"] = True
    return {**settings, "driver_info": None}
