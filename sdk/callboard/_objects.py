"""Objects: values that were put, results that are passed on, and references borrowed from other processes.

Whoever made a reference owns it. The value stays in the owner's memory until a reference leaves the process; then the
owner publishes it, at once or as soon as it is there. Who borrows a reference holds the published object, and reads
it when it is asked for. It is deleted when nobody holds it, or when its owner is gone.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callboard import _serde
from callboard._outbound import ignore
from callboard._parked import Parked
from callboard._ref import ObjectRef
from callboard._result import STATUS_LOCAL, Result
from callboard.exceptions import OwnerDiedError
from callboard_broker.deaths import STATUS_OK
from callboard_broker.envelope import Outcome, open_fields, seal_fields
from callboard_broker.errors import BrokerError
from callboard_broker.operations import calls, clients
from callboard_broker.wire import Reply, items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from callboard._client import Client
    from callboard._holding import Hold
    from callboard_broker.packing import Command

#: What the inbox entries begin with that say that an object has its value.
OBJECT: Final = b"object:"
_FIELDS: Final = ("status", "tokens")
#: Seconds after which a missing value is looked for again, in case nobody told us.
_LOOK_AGAIN: Final = 0.5
#: Objects left to others after which it is looked how many of them are still there.
_MANY: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a borrowed value carries, held as long as the value is here."""

    targets: list[str]
    held: Sequence[Hold | ObjectRef[Any]]


class Objects:
    """The objects that a client owns or borrows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._count = 0
        self._lock = client.outbound.lock
        self._owned: weakref.WeakValueDictionary[str, Result] = weakref.WeakValueDictionary()
        self._borrowed: weakref.WeakValueDictionary[str, Result] = weakref.WeakValueDictionary()
        self._awaited: dict[str, Result] = {}
        #: What is ours and had other holders when we let go of it; None where nobody wants to know.
        self._left_to_others: set[str] | None = None

    def remember_what_others_hold(self) -> None:
        """From now on, note what others go on holding after this process has let go of it."""
        self._left_to_others = set()

    def needed(self) -> bool:
        """Tell whether others hold what only lives as long as this process; asks the server.

        Knows of what was let go since `remember_what_others_hold`. Raises as `Client.ask` does.
        """
        with self._lock:
            noted = self._left_to_others or set()
            names = list(noted)
            replies = self._client.ask_all(*[("EXISTS", self._client.keys.object(name)) for name in names])
            noted -= {name for name, there in zip(names, replies, strict=True) if not there}
            return bool(noted)

    def put(self, value: object) -> ObjectRef[Any]:
        """Keep a value and return a reference to it.

        Raises:
            TypeError: The value cannot be pickled, or is itself a reference.
        """
        if isinstance(value, ObjectRef):
            raise TypeError(
                "put() of a reference is not allowed: pass the reference itself, or put a list that holds it"
            )
        try:
            parcel = _serde.pack(value)
        except Exception as error:
            raise TypeError(f"a value of type {type(value).__qualname__} cannot be pickled: {error}") from error
        with self._lock:
            self._count += 1
            name = f"{self._client.id}/p{self._count}"
        result = Result()
        result.resolve(STATUS_OK, parcel.body, parcel)
        return ObjectRef(self._client, name, result)

    def publish(self, ref: ObjectRef[Any]) -> None:
        """Publish what a reference stands for, if it is ours and has not been published."""
        name, result = ref.hex(), ref._result  # noqa: SLF001
        with self._lock:
            if name in self._owned or name in self._borrowed:
                return
            self._owned[name] = result
            self._release_with(result, name, f"c:{self._client.id}", f"object {name}", partial(self._let_go, name))
            if not result.done:
                self._post(clients.publish_object(self._client.keys, self._client.id, name, ("state", "PENDING")))
        # Kept alive by the callback until the value is there and published.
        self._client.expect(ref, lambda: self._publish_value(ref))

    def borrow(self, name: str) -> ObjectRef[Any]:
        """Return a reference to an object that another process owns, or that is our own coming back."""
        with self._lock:
            result = self._owned.get(name) or self._borrowed.get(name)
            if result is None:
                result = self._borrowed[name] = Result()
                holder, number = self._client.holdings.next_holder()
                member = f"hold-object {name} {number}"
                self._release_with(result, name, holder, member)
                self._post(clients.hold_object(self._client.keys, self._client.id, name, holder, member))
        return ObjectRef(self._client, name, result)

    def want(self, refs: Iterable[ObjectRef[Any]]) -> None:
        """Begin to look for the values of those references that are borrowed and have none yet."""
        if not self._borrowed:
            return
        with self._lock:
            for ref in refs:
                name, result = ref.hex(), ref._result  # noqa: SLF001
                if not result.done and name not in self._awaited and self._borrowed.get(name) is result:
                    self._awaited[name] = result
                    self._client.housekeeper.note(partial(self._fetch, name))

    def arrived(self, name: str) -> None:
        """Fetch a value whose owner says that it is there."""
        self._client.housekeeper.note(lambda: self._fetch(name))

    def awaited(self) -> list[Result]:
        """Return what is looked for and not there yet."""
        return list(self._awaited.values())

    def _fetch(self, name: str) -> None:
        result = self._awaited.get(name)
        if result is None:
            return
        client = self._client
        try:
            found = self._look(name)
            if found["state"] != b"READY":
                client.housekeeper.later(_LOOK_AGAIN, lambda: self._fetch(name))
                return
            body = open_fields(client.broker.signer("object", name), _FIELDS, found, f"the object {name}")
            result.resolve(found["status"], body, self._hold_contents(name, text(found["tokens"]).split()))
        except (BrokerError, OwnerDiedError) as error:
            result.resolve(STATUS_LOCAL, _serde.pack(error).body)
        self._awaited.pop(name, None)
        client.inbox.wake()

    def _look(self, name: str) -> dict[str, bytes]:
        client = self._client
        # The owner's id is the part of the name before the call's or object's number.
        owner = name.rpartition("/")[0]
        found = mapping(client.ask(*clients.await_object(client.keys, client.id, name, owner)))
        if not found:
            raise OwnerDiedError(
                f"the object {name} is gone: its owner {owner} has died or released it. Results live as long as the "
                "process that made them; let a longer-lived process make it, or return the value itself."
            )
        return found

    def _hold_contents(self, name: str, targets: list[str]) -> _Contents | None:
        if not targets:
            return None
        parts = [target.partition(":") for target in targets]
        held = [self.borrow(thing) if kind == "o" else self._client.holdings.hold(thing) for kind, _, thing in parts]
        self._client.outbound.flush()
        # The object answers for what it carries. That it is there now says that it did until we held it ourselves.
        self._look(name)
        return _Contents(targets, held)

    def _publish_value(self, ref: ObjectRef[Any]) -> None:
        client, name, result = self._client, ref.hex(), ref._result  # noqa: SLF001
        if client.closed:
            return
        status, body, targets = self._content(ref)
        values = [status, " ".join(targets).encode()]
        fields = seal_fields(client.broker.signer("object", name), _FIELDS, values, body)

        def told(reply: Reply, _keep: Result = result) -> None:
            waiting = [text(waiter) for waiter in items(reply)] if isinstance(reply, list) else []
            client.holdings.handed_over(targets, f"o:{name}", name)
            for waiter in waiting:
                self._ring(waiter, name)

        with self._lock:
            client.holdings.lend(targets, f"o:{name}", name)
            client.outbound.post(
                clients.publish_object(client.keys, client.id, name, (*fields, "state", "READY", "owner", client.id)),
                told,
            )
        client.confirm_soon()

    def _content(self, ref: ObjectRef[Any]) -> tuple[bytes, bytes, list[str]]:
        result = ref._result  # noqa: SLF001
        assert result.status is not None
        body = result.body
        if isinstance(body, Parked) or (ref._index is not None and result.status == STATUS_OK):  # noqa: SLF001
            try:
                parcel = _serde.pack(ref._value())  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - a value that cannot be read is an error like others
                return STATUS_LOCAL, _serde.pack(error).body, []
            return result.status, parcel.body, parcel.targets
        return result.status, body, list(getattr(result.keep, "targets", []))

    def _ring(self, waiter: str, name: str) -> None:
        bell = Outcome(OBJECT + name.encode(), b"ready", b"", b"")
        sealed = self._client.broker.seal_outcome(waiter, bell)
        self._post(calls.tell_caller(self._client.keys, waiter, sealed))

    def _let_go(self, name: str, removed: Reply) -> None:
        if removed == 0 and self._left_to_others is not None:
            self._left_to_others.add(name)
            if len(self._left_to_others) % _MANY == 0:
                self._client.housekeeper.note(self.needed)

    def _release_with(
        self, result: Result, name: str, holder: str, member: str, told: Callable[[Reply], None] = ignore
    ) -> None:
        command = clients.drop_object(self._client.keys, name, holder, index=self._client.id, member=member)
        release = partial(self._client.outbound.post, command, told)
        weakref.finalize(result, self._client.housekeeper.note, release).atexit = False

    def _post(self, command: Command) -> None:
        self._client.outbound.post(command)
