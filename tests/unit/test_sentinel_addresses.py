"""Addresses that name sentinels, and what is shown of addresses."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import parse_url

from callboard_broker.addresses import Place, Service, without_password
from callboard_broker.redispy import client


def test_an_address_names_sentinels_service_and_database() -> None:
    """Ports may be left out, and hosts may be IPv6 addresses."""
    service = Service.parse("redis+sentinel://me:pa%40ss@one:1234,[::1],three/main/3?health_check_interval=5")
    assert service is not None
    assert service.sentinels == (("one", 1234), ("::1", 26379), ("three", 26379))
    assert (service.name, service.db, service.credentials, service.tls) == ("main", "3", "me:pa%40ss", False)
    assert service.options == "health_check_interval=5"
    assert "pa%40ss" not in repr(service)


@pytest.mark.parametrize("address", ["redis://host/0", "rediss://host", "unix:///run/redis.sock?db=2"])
def test_other_addresses_name_none(address: str) -> None:
    """They name one server."""
    assert Service.parse(address) is None


_TEXT = st.text(st.sampled_from("ab:@/?#%[]. é"), max_size=4)
_QUOTED = _TEXT.map(lambda text: quote(text, safe=""))


@given(
    st.sampled_from(["redis://", "unix://", "rediss://", "redis:/"]),
    st.sampled_from(["", "{}@", ":{}@", "{}:{}@"]),
    st.sampled_from(["", "host", "10.0.0.1", "[::1]", "host:6380", "host:x"]),
    st.sampled_from(["", "/", "/0", "/15", "/x", "/run/a b.sock", "/run/%C3%A9"]),
    st.sampled_from(["", "?db=3", "?db=x", "?db=1&timeout=5", "?protocol=3", "#x"]),
    st.tuples(_QUOTED, _QUOTED),
)
def test_a_place_is_what_redis_py_reads(
    scheme: str, credentials: str, host: str, path: str, rest: str, secrets: tuple[str, str]
) -> None:
    """What is not left to it is read as it would; and what everybody writes is not left to it."""
    address = f"{scheme}{credentials.format(*secrets)}{host}{path}{rest}"
    place = Place.parse(address)
    usual = (scheme, bool(host), path) in {("redis://", True, ""), ("redis://", True, "/0"), ("unix://", False, "/0")}
    if place is None:
        assert not usual or rest or host == "host:x", address
        return
    read = parse_url(address)  # type: ignore[no-untyped-call]
    found = (read.get("path", ""), read.get("host", ""), read.get("username", ""), read.get("password", ""))
    assert found == (place.path, place.host, place.user, place.password)
    assert (read.get("port", 6379), read.get("db", 0)) == (place.port or 6379, int(place.db or 0))


@pytest.mark.parametrize(
    "rest", ["", "host", "host/", "/main", ",/main", "host:none/main", "host:99999/main", "host/main/x"]
)
def test_what_cannot_be_understood_is_refused(rest: str) -> None:
    """Not taken for a host that does not answer."""
    with pytest.raises(ValueError, match=r"."):
        Service.parse(f"redis+sentinel://{rest}")


def test_a_client_of_redis_py_gets_what_the_address_says() -> None:
    """The servers' user and password for the servers; those of the sentinels for them; TLS for both."""
    address = (
        "rediss+sentinel://me:secret@one/main/3?sentinel_username=guard&sentinel_password=dog&ssl_check_hostname=no"
    )
    found = client(address, timeout=2.0)
    kwargs = found.connection_pool.connection_kwargs
    asked = found.connection_pool.sentinel_manager.sentinels[0].connection_pool.connection_kwargs  # type: ignore[attr-defined] # untyped
    assert [kwargs.get(name) for name in ("username", "password", "db")] == ["me", "secret", 3]
    assert [asked.get(name) for name in ("host", "username", "password", "db")] == ["one", "guard", "dog", 0]
    assert kwargs["ssl_check_hostname"] is asked["ssl_check_hostname"] is False
    assert (asked["socket_timeout"], asked["socket_connect_timeout"]) == (2.0, 2.0)
    kinds = {found.connection_pool.connection_class.__name__, type(found.connection_pool).__name__}
    assert kinds == {"SentinelManagedSSLConnection", "SentinelConnectionPool"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://host/0", "redis://host/0"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("redis://me:secret@host/0", "redis://me:***@host/0"),
        ("redis://:sec?ret@host", "redis://:***@host"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("rediss://host?ssl_password=secret", "rediss://host?ssl_password=***"),
        (
            "redis+sentinel://me:secret@one,two/main?sentinel_username=x&sentinel_password=secret",
            "redis+sentinel://me:***@one,two/main?sentinel_username=x&sentinel_password=***",
        ),
    ],
)
def test_no_password_is_shown(address: str, shown: str) -> None:
    """Wherever it stands in the address."""
    assert without_password(address) == shown
