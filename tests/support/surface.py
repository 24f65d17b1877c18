"""Classes with all that a class may have, for tests of the API. Imported by workers: nothing heavy here."""

import abc
import threading
from typing import Any

from tests.support.mortals import pass_gate


class Base:
    """What is inherited.

    Args:
        first: An argument.
        second: One with a default.
        *rest: More.
        only: One by keyword.
        **others: More of these.
    """

    constant = 5

    def __init__(self, first: Any, second: Any = "default", *rest: Any, only: Any = None, **others: Any) -> None:
        self.given = (first, second, rest, only, others)

    def told(self) -> Any:
        """Return what the constructor was given."""
        return self.given

    def who(self) -> str:
        """Be overridden."""
        return "base"

    def inherited(self) -> str:
        """Call what is overridden."""
        return f"{self.who()} of {type(self).__name__}"

    @staticmethod
    def static(number: int) -> int:
        """Double."""
        return 2 * number

    @classmethod
    def class_name(cls, suffix: str = "!") -> str:
        """Return the class's name."""
        return cls.__name__ + suffix

    @property
    def length(self) -> int:
        """Be no method."""
        return len(self.given)


class Unfinished(abc.ABC):
    """Lack a method."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Be implemented."""


class Derived(Base):
    """What inherits."""

    def who(self) -> str:
        """Override."""
        return f"derived from {super().who()}"

    def echo(self, first: Any, /, second: Any = 2, *rest: Any, only: Any = None, **others: Any) -> Any:
        """Return the arguments."""
        return first, second, rest, only, others

    def needs(self, first: Any, *, key: Any) -> Any:
        """Have an argument that must be named."""
        return first, key

    def _private(self) -> str:
        return "private"

    def __call__(self, number: int) -> int:
        return number + 1

    def __len__(self) -> int:
        return 3

    def mro(self) -> str:
        """Have the name of something that classes have."""
        return "mine"


class Plain:
    """Do things with values."""

    def value(self, value: Any) -> Any:
        """Return a value."""
        return value

    def values(self, *values: Any, **named: Any) -> Any:
        """Return all values."""
        return (*values, *named.values())

    def kind(self, value: Any) -> str:
        """Return the name of a value's type."""
        return type(value).__name__

    def wait_for(self, gate: str, value: Any = None) -> Any:
        """Return a value when a gate opens."""
        pass_gate(gate)
        return value

    def wait_and_fail(self, gate: str) -> None:
        """Raise an error when a gate opens."""
        pass_gate(gate)
        self.fail("too late")

    def fail(self, *args: Any) -> None:
        """Raise an error of the kind that users define."""
        raise OddError(*args)

    def raise_this(self, error: BaseException) -> None:
        """Raise an error."""
        raise error

    def lock(self) -> Any:
        """Return what cannot be pickled."""
        return threading.Lock()

    def raise_lock(self) -> None:
        """Raise an error that cannot be pickled."""
        raise OddError("with a lock", threading.Lock())

    def nested(self, values: list[Any]) -> Any:
        """Return the values of references inside a list, and the types of what is there."""
        import callboard  # noqa: PLC0415 - for the tests that import this without it

        return [type(value).__name__ for value in values], callboard.get(values, timeout=10)

    def forward(self, to: Any, values: list[Any]) -> Any:
        """Have another actor look at what is in a list."""
        import callboard  # noqa: PLC0415

        return callboard.get(to.nested.remote(values), timeout=10)


class OddError(Exception):
    """An error with a code."""

    def __init__(self, words: str, code: Any = 7) -> None:
        super().__init__(words)
        self.code = code
