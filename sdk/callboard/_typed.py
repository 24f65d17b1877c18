"""What a handle is to type checkers: its actor's class.

Nothing that checkers understand makes ``counter.add.remote(1)`` of a class with a method ``add``, but for one thing:
looking up a method on the class itself, which a descriptor can decide about. So a handle is declared to be the class,
and `callboard.method` declares the methods that it marks to be such descriptors: called on an instance they are what
they are, looked up on the class they are what a handle gives. Bare, it is a class of which nothing is known: everything
may be called on it, with any arguments.
"""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from callboard._generics import T

    ActorHandle: TypeAlias = type[T]
else:
    from callboard._handle import ActorHandle

__all__ = ["ActorHandle"]
