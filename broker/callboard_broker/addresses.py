"""Addresses: what they look like, how they are shown, and where a primary is of which only the sentinels are named.

    redis://[USER:PASSWORD@]HOST:PORT/DB        rediss://... for TLS
    unix://[USER:PASSWORD@]/PATH?db=DB
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB]        rediss+sentinel://... for TLS

Those after ``?`` are options of redis-py. Of a sentinel address user and password are those of the servers; the
sentinels' own are the options ``sentinel_username`` and ``sentinel_password``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an address may look like, for the texts of errors.
FORMS: Final = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, unix:///PATH or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB"
)
_PORT: Final = 6379
#: How a plain address names a database.
_PATH_OF_DB: Final = re.compile(r"(/\d*)?")
_QUERY_OF_DB: Final = re.compile(r"(db=\d+)?")
_SENTINEL: Final = "+sentinel"
_SENTINEL_PORT: Final = 26379
#: Options that are for the sentinels alone.
_THEIRS: Final = ("sentinel_username", "sentinel_password")
#: How the names of options end that nobody may see.
_SECRET: Final = "password"  # noqa: S105 - a name


class Place(NamedTuple):
    """What an address says that has no options and needs no TLS: where a server is, and who comes.

    Attributes:
        path: Of a socket; empty when the server is to be found by host and port.
        host: Name or IP.
        port: TCP port.
        user: User name; may be empty.
        password: May be empty.
        db: Database; empty for the first.
    """

    path: str
    host: str
    port: int
    user: str
    password: str
    db: str

    @classmethod
    def parse(cls, address: str) -> Place | None:
        """Read an address; None when it says anything else, or is none."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port or _PORT
        except ValueError:
            return None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "redis" and host and _PATH_OF_DB.fullmatch(parts.path) and not parts.query:
            return cls("", host, port, user, password, parts.path.strip("/"))
        if parts.scheme == "unix" and not host and parts.path and _QUERY_OF_DB.fullmatch(parts.query):
            return cls(unquote(parts.path), "", 0, user, password, parts.query.removeprefix("db="))
        return None


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
        if not address.partition("://")[0].endswith(_SENTINEL):
            return None
        parts = urlsplit(address)
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

    def server(self, host: str, port: int, credentials: str) -> str:
        """Return the address of one of its servers or sentinels."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        netloc = f"{credentials}@{place}" if credentials else place
        return urlunsplit(("rediss" if self.tls else "redis", netloc, f"/{self.db}", self.options, ""))


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
