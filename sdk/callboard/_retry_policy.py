"""Retrying what a method raises: how the wish travels with a call, and what it means in the worker."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from callboard import _serde
from callboard._definition import MARK
from callboard._options import MethodOptions

if TYPE_CHECKING:
    from callboard_broker.envelope import Call

_FIELD: Final = "retry_exceptions"


def to_opts(wanted: bool | tuple[type[Exception], ...]) -> bytes:
    """Return the ``opts`` of a call for whose exceptions ``.options()`` asked; the empty string for none."""
    if not wanted:
        return b""
    told = True if wanted is True else base64.b64encode(_serde.pack(wanted).body).decode()
    return json.dumps({_FIELD: told}).encode()


def retries(call: Call, function: Any, error: BaseException) -> bool:
    """Tell whether a call that raised is to be run again, as far as its retries allow.

    What came with the call, which has been verified, is nearer than what ``@method`` set.
    """
    told = json.loads(call.opts).get(_FIELD) if call.opts else None
    if told is None:
        options = MethodOptions.parse(getattr(function, MARK, {}))
    else:
        options = MethodOptions(retry_exceptions=True if told is True else _serde.unpack(base64.b64decode(told)))
    return options.retries(error)
