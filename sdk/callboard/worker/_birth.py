"""How a worker becomes its actor: the signed creation, the class, the arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard import _api, _definition, _environment, _serde
from callboard._actor_class import CREATION_FIELDS
from callboard._ref import ObjectRef
from callboard.exceptions import RaySystemError
from callboard_broker.envelope import open_fields
from callboard_broker.records import ActorRecord
from callboard_broker.wire import mapping

if TYPE_CHECKING:
    from callboard._definition import ClassInfo
    from callboard.worker._settings import Settings
    from callboard_broker.wire import Wire


@dataclass(frozen=True, slots=True)
class Creation:
    """A verified creation.

    Attributes:
        record: What Redis says of the actor; for texts only, as it is not signed.
        options: What its creator asked for.
        info: Its class's table.
        pickled_class: Verified, not yet unpickled.
        pickled_arguments: Verified, not yet unpickled.
    """

    record: ActorRecord
    options: dict[str, Any]
    info: ClassInfo
    pickled_class: bytes
    pickled_arguments: bytes

    def prepare(self, settings: Settings) -> None:
        """Set up the process as the creator asked: environment, working directory, import path.

        Raises:
            RuntimeEnvSetupError: The working directory cannot be used here.
        """
        _environment.enter(self.options, settings.host, self.record.class_name)

    def construct(self) -> Any:
        """Unpickle class and arguments and run the constructor.

        Raises:
            BaseException: What they raise.
        """
        try:
            cls = _serde.unpack(self.pickled_class)
            args, kwargs = _serde.unpack(self.pickled_arguments)
        except Exception as error:
            raise RaySystemError(
                f"the class {self.record.class_name} or its arguments could not be loaded in the actor's process: "
                f"{type(error).__name__}: {error}. Install the module that defines them where supervisors run, or pass "
                "runtime_env={'working_dir': ...} with the directory that has it."
            ) from error
        args = [_api.get(value) if isinstance(value, ObjectRef) else value for value in args]
        kwargs = {name: _api.get(value) if isinstance(value, ObjectRef) else value for name, value in kwargs.items()}
        return cls(*args, **kwargs)


def read_creation(settings: Settings, wire: Wire) -> Creation:
    """Read and verify what this worker is to become.

    Raises:
        EnvelopeError: The creation or the class is missing, or not signed with our key.
    """
    keys = settings.broker.keys
    actor = settings.actor
    stored, record = (
        mapping(reply) for reply in wire.pipeline([("HGETALL", keys.creation(actor)), ("HGETALL", keys.actor(actor))])
    )
    body = open_fields(settings.broker.signer("creation", actor), CREATION_FIELDS, stored, f"the creation of {actor}")
    info, pickled = _definition.fetch(settings.broker, wire, stored["definition"].decode())
    return Creation(ActorRecord.decode(record), json.loads(stored["options"]), info, pickled, body)
