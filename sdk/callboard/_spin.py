"""Looking again and again for what is about to come, before sleeping until it does.

To wake a processor that has halted takes longer than all that callboard does for a call. So whoever waits for an
outcome looks for it for a moment, giving way to everybody else between two looks. Where nobody else has anything to do,
that costs nobody anything; where others have, or where calls take longer, it is noticed soon and seldom tried again.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Nanoseconds for which it is looked at most. Most lone calls of quick methods are answered within them.
_MOMENT: Final = 400_000
#: Nanoseconds that a look takes on the average, and giving way after it, from which others ran for most of the wait.
_OTHERS: Final = 10_000
#: Nanoseconds after which giving way has taken so long that there are too few processors for all, at least just now.
_CROWDED: Final = 1_000_000
#: Waits in which it is not tried at most, after it was in vain.
_SELDOM: Final = 1024


class Spin:
    """Look again and again as long as that pays; only in the main thread, as it would keep other threads waiting."""

    __slots__ = ("_left_out", "_main", "_pause")

    def __init__(self) -> None:
        self._main = threading.main_thread().ident
        self._pause = 0
        self._left_out = 0

    def until(self, ready: Callable[[], bool]) -> bool:
        """Tell whether something is ready within a moment; False at once where trying that has been in vain."""
        if threading.get_ident() != self._main:
            return False
        if self._left_out:
            self._left_out -= 1
            return False
        began = now = time.monotonic_ns()
        give_up = now + _MOMENT
        looks = 0
        while now < give_up:
            if ready():
                if now - began >= looks * _OTHERS:
                    # They needed this processor. Sleeping brings it to them at once, and costs no more.
                    self._leave_out()
                else:
                    self._pause >>= 1
                return True
            looks += 1
            os.sched_yield()
            before, now = now, time.monotonic_ns()
            if now - before > _CROWDED:
                # As much as three times in vain, with what follows: a few end it for long, a single hiccup does not.
                self._pause = 4 * self._pause + 3
                break
        self._leave_out()
        return False

    def _leave_out(self) -> None:
        self._pause = self._left_out = min(2 * self._pause + 1, _SELDOM)
