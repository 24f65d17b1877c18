"""Programs that come, ask much of the server, and go, while others call."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from chaos.nemesis.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.nemesis.fault import Strike
    from chaos.theatre import Theatre

__all__ = ["VISITORS"]


def _visit(errand: str) -> Strike:
    @contextlib.contextmanager
    def strike(theatre: Theatre) -> Iterator[int]:
        yield int(theatre.visit(errand))

    return strike


VISITORS: Final = (
    Fault("churn", _visit("churn")),
    Fault("huge payload", _visit("huge")),
    Fault("exit with open calls", _visit("abandon")),
)
