"""The floor: a call's trip through Redis by hand, with every step that callboard needs, and nothing else.

A signed envelope and XADD NOMKSTREAM; the worker reads its group, verifies, unpickles and runs; one fenced script
removes the entries, replies, and notes them in a ledger; the client reads its inbox.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

import hiredis

if TYPE_CHECKING:
    from collections.abc import Iterator

Command: TypeAlias = tuple[bytes, ...]

_COMMIT: Final = b"""#!lua flags=allow-oom
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return redis.error_reply('FENCED') end
local done, latest = 0, 0
for i = 2, #ARGV, 4 do
  if redis.call('XDEL', KEYS[2], ARGV[i]) == 1 then
    redis.pcall('XADD', KEYS[tonumber(ARGV[i + 1])], 'NOMKSTREAM', '*', 'id', ARGV[i + 2], 'body', ARGV[i + 3])
    done, latest = done + 1, ARGV[i + 2]
  end
end
if done > 0 then redis.call('HSET', KEYS[3], 'c', latest) end
return done
"""
_KEY: Final = os.urandom(32)
_ACTOR: Final = b"cb:{0}:actor:a"
_MAILBOX: Final = b"cb:{0}:actor:a:mailbox"
_SEEN: Final = b"cb:{0}:actor:a:seen"
_INBOX: Final = b"cb:{0}:client:c:inbox"
#: Outcomes, and their bytes, that may lie in the inbox although they have been read.
_READ_ENTRIES: Final = 500
_READ_BYTES: Final = 1_000_000


def _mac(body: bytes) -> bytes:
    return hashlib.blake2b(body, key=_KEY, digest_size=16).digest()


def _packed(command: Command) -> bytes:
    # hiredis' own types say a tuple of one.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed


class _Connection:
    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(unquote(address.removeprefix("unix://")))
        self._reader = hiredis.Reader()

    def send(self, *commands: Command) -> None:
        self._socket.sendall(b"".join([_packed(command) for command in commands]))

    def receive(self) -> Any:
        while (reply := self._reader.gets()) is False:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self._reader.feed(data)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def call(self, *command: bytes) -> Any:
        self.send(command)
        return self.receive()


def _work(address: str) -> None:
    redis, state, owed = _Connection(address), 0, 0
    sha = redis.call(b"SCRIPT", b"LOAD", _COMMIT)
    read = (b"XREADGROUP", b"GROUP", b"inc-1", b"w", b"COUNT", b"200", b"BLOCK", b"0", b"NOACK")
    while True:
        redis.send((*read, b"STREAMS", _MAILBOX, b">"))
        for _ in range(owed):
            redis.receive()
        settled = []
        for entry, (_, call, _, tag, _, body) in redis.receive()[0][1]:
            if tag != _mac(body):
                raise ValueError("a call's signature is wrong")
            method, given = pickle.loads(body)
            state += 1
            settled += [entry, b"4", call, pickle.dumps(given[0] if method == "echo" else state, 5)]
        redis.send((b"EVALSHA", sha, b"4", _ACTOR, _MAILBOX, _SEEN, _INBOX, b"1", *settled))
        owed = 1


class Floor:
    """The client's side; one connection to send on, one to read on."""

    def __init__(self, address: str) -> None:
        self._out, self._inbox = _Connection(address), _Connection(address)
        self._sequence, self._last = 0, b"0-1"
        self._read_entries = self._read_bytes = 0
        self._out.call(b"XGROUP", b"CREATE", _MAILBOX, b"inc-1", b"0", b"MKSTREAM")
        self._out.call(b"HSET", _ACTOR, b"incarnation", b"1")
        self._out.call(b"XADD", _INBOX, b"0-1", b"id", b"0")

    def call(self, method: str, *arguments: object) -> Any:
        """Call once and return the result."""
        commands = [self._submission(method, *arguments)]
        if self._read_entries > _READ_ENTRIES or self._read_bytes > _READ_BYTES:
            commands.append(self._trim())
        self._out.send(*commands)
        while not (results := self._read()):
            pass
        for _ in commands:
            self._out.receive()
        return results[0]

    def pipeline(self, count: int) -> None:
        """Make many calls, and only then read their results."""
        for _ in range(count):
            self._out.send(self._submission("add"))
        done = 0
        while done < count:
            done += len(self._read())
        for _ in range(count):
            self._out.receive()
        self._out.call(*self._trim())

    def _submission(self, method: str, *arguments: object) -> Command:
        self._sequence += 1
        body = pickle.dumps((method, arguments), 5)
        sequence = b"%d" % self._sequence
        return (b"XADD", _MAILBOX, b"NOMKSTREAM", b"*", b"id", sequence, b"mac", _mac(body), b"body", body)

    def _read(self) -> list[Any]:
        reply = self._inbox.call(b"XREAD", b"COUNT", b"500", b"BLOCK", b"0", b"STREAMS", _INBOX, self._last)
        entries = reply[0][1]
        self._last = entries[-1][0]
        bodies = [fields[3] for _, fields in entries if len(fields) > 2]  # noqa: PLR2004 - the first entry is none
        self._read_entries += len(bodies)
        self._read_bytes += sum(map(len, bodies))
        return [pickle.loads(body) for body in bodies]

    def _trim(self) -> Command:
        self._read_entries = self._read_bytes = 0
        return (b"XTRIM", _INBOX, b"MINID", self._last)


@contextmanager
def floor(address: str) -> Iterator[Floor]:
    """Start the worker and end it."""
    client = Floor(address)
    pid = os.fork()
    if pid == 0:
        try:
            _work(address)
        finally:
            os._exit(1)
    try:
        yield client
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
