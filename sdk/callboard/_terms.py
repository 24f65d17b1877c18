"""The terms on which an actor takes calls; every handle knows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from callboard._definition import ClassInfo
    from callboard_broker.records import ActorRecord


class Terms(NamedTuple):
    """On what terms an actor takes calls.

    Attributes:
        retries: How often a call is run again after its process died, unless the call says otherwise; -1 for ever.
        ordered: Whether the calls of one caller start in the order in which they were made.
        groups: Its concurrency groups.
        max_pending: Unfinished calls that one client may have; 0 or less for any number.
    """

    retries: int = 0
    ordered: bool = True
    groups: tuple[str, ...] = ()
    max_pending: int = -1


def terms_of(record: ActorRecord, info: ClassInfo) -> Terms:
    """Return the terms of an actor."""
    groups = tuple(json.loads(record.concurrency_groups)) if record.concurrency_groups else ()
    ordered = not info.asynchronous and record.max_concurrency <= 1 and not groups
    return Terms(record.max_task_retries, ordered, groups, record.max_pending_calls)
