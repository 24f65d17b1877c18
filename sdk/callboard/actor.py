"""Leaving an actor from inside."""

from callboard._context import exit_actor

__all__ = ["exit_actor"]
