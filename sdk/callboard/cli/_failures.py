"""Exit codes, and which error leads to which."""

from __future__ import annotations

import contextlib
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import click

from callboard_broker.errors import BrokerUnreachableError, RayError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ExitCode(IntEnum):
    """What a command's exit code says."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4


class Failure(click.ClickException):
    """An error that ends the command, its text on stderr: what was wrong and what to do next."""

    exit_code = int(ExitCode.ERROR)


class NotFound(Failure):
    """What was asked for does not exist."""

    exit_code = int(ExitCode.NOT_FOUND)


class Unreachable(Failure):
    """The server does not answer, or there is none to ask."""

    exit_code = int(ExitCode.UNREACHABLE)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors that are meant for people into their exit codes; all others are bugs and keep their tracebacks."""
    try:
        yield
    except BrokerUnreachableError as error:
        raise Unreachable(str(error)) from error
    except BrokenPipeError:
        raise
    except (RayError, OSError) as error:
        raise Failure(str(error)) from error


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Turn what an API says of its arguments into an error of usage; for calls whose arguments the user typed."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, RayError):
            raise
        raise click.UsageError(str(error)) from error


class Commands(click.Group):
    """A group whose commands fail with explained exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with explained():
            return super().invoke(ctx)
