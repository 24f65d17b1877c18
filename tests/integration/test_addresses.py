"""Addresses: a client joins over TCP and over TLS as it does over a unix socket."""

import contextlib
import threading

import pytest
from tests.support.front import CERTIFICATE, front
from tests.support.stage import Stage

import callboard
from callboard_broker.errors import BrokerUnreachableError
from callboard_broker.wire import Wire


class Echo:
    def same(self, value: object) -> object:
        return value


@pytest.mark.parametrize("tls", [False, True], ids=["redis", "rediss"])
def test_calls_go_over_tcp_and_tls(on_stage: Stage, *, tls: bool) -> None:
    """One at a time, many at once, large ones, and from several threads."""
    with front(on_stage.address.removeprefix("unix://"), tls=tls) as port:
        plain, secure = f"redis://localhost:{port}/0", f"rediss://localhost:{port}/0?ssl_ca_certs={CERTIFICATE}"
        callboard.init(secure if tls else plain)
        echo: callboard.ActorHandle = callboard.remote(Echo).remote()
        assert [callboard.get(echo.same.remote(number), timeout=10) for number in range(20)] == list(range(20))
        refs = [echo.same.remote(number) for number in range(500)]
        assert callboard.get(refs, timeout=20) == list(range(500))
        large = bytes(1_000_000)
        assert callboard.get(echo.same.remote(large), timeout=20) == large
        seen: list[object] = []
        threads = [
            threading.Thread(target=lambda: seen.append(callboard.get(echo.same.remote("x"), timeout=10)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["x"] * 4
        callboard.shutdown()


def test_a_certificate_that_nobody_vouches_for_is_refused(on_stage: Stage) -> None:
    """TLS is verified by default."""
    with (
        front(on_stage.address.removeprefix("unix://"), tls=True) as port,
        pytest.raises(BrokerUnreachableError, match="certificate"),
    ):
        callboard.init(f"rediss://localhost:{port}/0")


def test_an_interrupted_connection_with_tls_is_read_as_such(shared_stage: Stage) -> None:
    """What has come before is not taken for something that was not encrypted."""
    with front(shared_stage.address.removeprefix("unix://"), tls=True) as port:
        address = f"rediss://localhost:{port}?ssl_ca_certs={CERTIFICATE}"
        with contextlib.closing(Wire.open(address)) as wire:
            wire.send(("PING",))
            assert wire.readable(5000)
            wire.interrupt()
            with pytest.raises(BrokerUnreachableError):
                _ = [wire.receive() for _ in range(2)]
