"""From records of actors to what is shown of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callboard.util._schemas import ActorState
from callboard_broker import verdicts
from callboard_broker.host import host_id
from callboard_broker.page import PageError, StatusPage, page_path
from callboard_broker.records import State
from callboard_broker.wire import integer, mapping, maybe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callboard.util._reading import Reader
    from callboard_broker.packing import Command
    from callboard_broker.records import ActorOutline, ActorRecord, NodeRecord


class Describer:
    """Describe actors; what does not lie in their records is read when it is needed.

    Args:
        reader: For what is read.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._nodes: dict[str, NodeRecord] | None = None
        self._hosts: dict[str, str] = {}

    def briefly(self, outline: ActorOutline) -> ActorState:
        """Return what is shown without details."""
        return ActorState(
            actor_id=outline.actor_id,
            class_name=outline.class_name,
            state=outline.state.value,
            job_id=outline.job_id,
            name=outline.name,
            node_id=outline.node or None,
            pid=outline.pid,
            ray_namespace=outline.namespace,
        )

    def alone(self, record: ActorRecord) -> ActorState:
        """Return what the record says by itself; only the details that cost a look elsewhere are missing."""
        return replace(
            self.briefly(record),
            serialized_runtime_env=record.runtime_env or "{}",
            required_resources=record.required,
            is_detached=record.detached,
            repr_name=record.repr_name,
            num_restarts=record.num_restarts,
            ending=bool(record.sealed) and record.state is not State.DEAD,
            pending_reason=record.pending_reason or None,
        )

    def fully(self, records: Sequence[ActorRecord]) -> list[ActorState]:
        """Return all that is known of actors, with one packet for all of them."""
        states = [self.alone(record) for record in records]
        lengths = self._mailbox_lengths(records)
        self._learn_owners(records)
        charged = self._reader.ask(*[("HGETALL", self._reader.keys.attempts(record.actor_id)) for record in records])
        for record, state, length, charges in zip(records, states, lengths, charged, strict=True):
            state.mailbox_length = length
            state.retried_call = _most_charged(mapping(charges))
            state.current_call = self._current_call(record)
            if record.state is State.DEAD:
                state.death_cause = {"actor_died_error_context": self._context(record)}
        return states

    @property
    def nodes(self) -> dict[str, NodeRecord]:
        """The nodes by their ids, read once."""
        if self._nodes is None:
            self._nodes = {node.id: node for node in self._reader.nodes()}
        return self._nodes

    def _mailbox_lengths(self, records: Sequence[ActorRecord]) -> list[int]:
        keys = self._reader.keys
        commands: list[Command] = []
        for record in records:
            if record.state is not State.DEAD:
                commands += [("XLEN", keys.mailbox(record.actor_id)), ("XLEN", keys.sealed(record.actor_id))]
        replies = iter([integer(reply) for reply in self._reader.ask(*commands)])
        return [0 if record.state is State.DEAD else next(replies) + next(replies) for record in records]

    def _learn_owners(self, records: Sequence[ActorRecord]) -> None:
        unknown = list({record.owner for record in records if record.state is State.DEAD} - self._hosts.keys())
        replies = self._reader.ask(*[("HGET", self._reader.keys.client(owner), "hostname") for owner in unknown])
        for owner, reply in zip(unknown, replies, strict=True):
            self._hosts[owner] = maybe_text(reply) or ""

    def _current_call(self, record: ActorRecord) -> str | None:
        if record.state is not State.ALIVE or not record.token:
            return None
        node = self.nodes.get(record.node)
        if node is None or node.host != host_id():
            return None
        try:
            page = StatusPage.open(page_path(record.actor_id, record.token))
        except (OSError, PageError):
            return None
        with contextlib.closing(page):
            counted = Counter(page.running())
        # One of a kind by its name alone, as a serial actor has no other.
        return (
            ", ".join(f"{method} ({count})" if count > 1 else method for method, count in sorted(counted.items()))
            or None
        )

    def _context(self, record: ActorRecord) -> dict[str, Any]:
        """Describe a death as Ray does. Where Ray has addresses there are host names: callboard knows no addresses."""
        cause = verdicts.cause_of(record)
        node = self.nodes.get(record.node)
        context = {
            "error_message": cause.message,
            "owner_id": cause.owner or record.owner,
            "owner_ip_address": self._hosts.get(record.owner, ""),
            "node_ip_address": node.hostname if node else "",
            "ray_namespace": record.namespace,
            "class_name": record.class_name,
            "actor_id": record.actor_id,
            "pid": record.pid,
            "name": record.name,
            "never_started": cause.never_started or not record.ever_started,
            "reason": cause.reason.value,
        }
        if cause.exit_type:
            context["exit_type"] = cause.exit_type.value
        if cause.traceback:
            context["traceback"] = cause.traceback
        return context


def _most_charged(charges: Mapping[str, bytes]) -> str | None:
    found = [(int(told[0]), call, told[2]) for call, value in charges.items() if len(told := value.split()) > 2]  # noqa: PLR2004 - count, incarnation, method
    if not found:
        return None
    count, call, method = max(found)
    return f"{method.decode()} ({call}), {count} times"
