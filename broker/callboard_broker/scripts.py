"""The Lua scripts: one file per operation, named inputs, named errors.

Each file begins with ``#!lua`` and its flags, says what it does, and names its inputs:

    -- KEYS: record mailbox inboxes...
    -- ARGV: token items...

A line of ``local`` bindings made from these names goes before the text, so a script uses names instead of ``KEYS[7]``
(and error lines are the file's own). A name ending in ``...`` takes all that is left, as ``<name>_at``: the index of
its first element.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard_broker.packing import Argument, Command

_HEADER = re.compile(r"^-- (KEYS|ARGV):([\w. ]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A loaded script: its text as sent to the server, the SHA-1 the server knows it by, and its inputs' names."""

    name: str
    text: str
    sha: str
    keys: tuple[str, ...]
    arguments: tuple[str, ...]

    def eval(self, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Command:
        """Make a command that brings the text along, so that no flushed cache can refuse it.

        Raises:
            TypeError: The number of keys or arguments is not the one that the script declares.
        """
        return ("EVAL", self.text, *self._inputs(keys, arguments))

    def eval_loaded(self, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Command:
        """Make a command for a server that knows the script: it must have been loaded on this connection.

        Raises:
            TypeError: The number of keys or arguments is not the one that the script declares.
        """
        return ("EVALSHA", self.sha, *self._inputs(keys, arguments))

    def load(self) -> Command:
        """Make the command that loads the script into the server's cache."""
        return ("SCRIPT", "LOAD", self.text)

    def _inputs(self, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Command:
        self._check(keys, self.keys, "keys")
        self._check(arguments, self.arguments, "arguments")
        return (len(keys), *keys, *arguments)

    def _check(self, given: Sequence[object], names: tuple[str, ...], what: str) -> None:
        fixed = [name for name in names if not name.endswith("...")]
        if len(given) < len(fixed) or (len(given) > len(fixed) and len(fixed) == len(names)):
            raise TypeError(f"{self.name}.lua takes the {what} {' '.join(names)}, but got {len(given)}")


@cache
def script(name: str) -> Script:
    """Load the script of an operation.

    Raises:
        ValueError: The file lacks its first line or its header.
    """
    source = resources.files("callboard_broker").joinpath("lua", f"{name}.lua").read_text("utf-8")
    first, separator, rest = source.partition("\n")
    header = dict(_HEADER.findall(source))
    if not first.startswith("#!lua") or set(header) != {"KEYS", "ARGV"}:
        raise ValueError(f"{name}.lua needs a first line '#!lua ...' and '-- KEYS:' and '-- ARGV:' lines")
    keys, arguments = (tuple(header[kind].split()) for kind in ("KEYS", "ARGV"))
    # On the first line's own line end, so that line numbers in errors stay those of the file (plus one).
    bound = _bindings("KEYS", keys) + _bindings("ARGV", arguments)
    text = first + separator + bound + "\n" + rest
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha, keys, arguments)


def names() -> list[str]:
    """List the operations."""
    folder = resources.files("callboard_broker").joinpath("lua")
    return sorted(entry.name.removesuffix(".lua") for entry in folder.iterdir() if entry.name.endswith(".lua"))


def load_all() -> None:
    """Read all scripts now, so that processes forked from this one need not."""
    for name in names():
        script(name)


def _bindings(table: str, names: tuple[str, ...]) -> str:
    bound = []
    for index, name in enumerate(names, start=1):
        if name.endswith("..."):
            bound.append(f"local {name.removesuffix('...')}_at = {index}")
        else:
            bound.append(f"local {name} = {table}[{index}]")
    return " ".join(bound) + " "
