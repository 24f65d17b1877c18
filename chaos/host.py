"""Hosts of their own, as far as the network goes: network namespaces, each with one cable to this one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Host", "none_can_be_had"]

#: For tests of networks; each cable takes four addresses of it.
_NETWORK: Final = IPv4Network("198.18.0.0/15")
_CABLES: Final = _NETWORK.num_addresses // 4


def none_can_be_had() -> str:
    """Return why there can be no hosts on this machine; empty when there can."""
    if shutil.which("ip") is None:
        return "there is no `ip` (iproute2)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Host():
            return ""
    except subprocess.CalledProcessError as error:
        return f"network namespaces are refused: {error.stderr.strip()}"


class Host:
    """One network namespace, with an address of this one at the other end of its cable.

    Attributes:
        address: Of this one, as that sees it.
        command: What starts a program there.
    """

    def __init__(self) -> None:
        cable = secrets.randbelow(_CABLES)
        self._name = f"chaos{cable}"
        self._here, self._there = (str(_NETWORK[4 * cable + number]) for number in (1, 2))
        self.address = self._here
        self.command = ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        """Make it, and plug its cable in."""
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._name, "type", "veth", "peer", "name", "cable", "netns", self._name)
            _ip("address", "add", f"{self._here}/30", "dev", self._name)
            _ip("-n", self._name, "address", "add", f"{self._there}/30", "dev", "cable")
            _ip("-n", self._name, "link", "set", "lo", "up")
            _ip("-n", self._name, "link", "set", "cable", "up")
            self._plug_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, and its cable with it."""
        _ip("netns", "delete", self._name)

    @contextlib.contextmanager
    def unplugged(self) -> Iterator[None]:
        """Let nothing through, in silence: connections stay, and what is sent on them is lost and sent again."""
        _ip("link", "set", self._name, "down")
        try:
            yield
        finally:
            self._plug_in()

    def _plug_in(self) -> None:
        _ip("link", "set", self._name, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
