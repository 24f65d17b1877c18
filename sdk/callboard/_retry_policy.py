"""Retrying what a method raises: how the wish travels with a call, and what it means in the worker."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from callboard import _serde
from callboard._definition import MARK
from callboard._options import MethodOptions

if TYPE_CHECKING:
    from callboard_broker.envelope import Call

_FIELD: Final = "retry_exceptions"


def wish(wanted: bool | tuple[type[Exception], ...]) -> dict[str, object]:
    """Return what the ``opts`` of a call say whose ``.options()`` said whether its exceptions are retried."""
    return {_FIELD: wanted if isinstance(wanted, bool) else base64.b64encode(_serde.pack(wanted).body).decode()}


def retries(call: Call, function: Any, error: BaseException) -> bool:
    """Tell whether a call that raised is to be run again, as far as its retries allow.

    What came with the call, which has been verified, is nearer than what ``@method`` set.
    """
    told = call.option(_FIELD)
    if told is None:
        options = MethodOptions.parse(getattr(function, MARK, {}))
    else:
        wanted = told if isinstance(told, bool) else _serde.unpack(base64.b64decode(told))
        options = MethodOptions(retry_exceptions=wanted)
    return options.retries(error)
