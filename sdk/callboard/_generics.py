"""Type variables with defaults, so that public classes may be written bare: ``ActorHandle``, ``ObjectRef``, ..."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Python itself has defaults from 3.13 on; every checker knows this module, and it is needed by nobody else.
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)
