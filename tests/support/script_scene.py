"""Worlds of scripts as the server shows them, and as models take them."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tests.support.script_models.things import NOW, Answer, Group, Hash, Name, Scores, Stream, Thing
from tests.support.script_world import Key

from callboard_broker.packing import Command
from callboard_broker.scripts import Script
from callboard_broker.wire import Reply, ReplyError, entries, integer, items, mapping, text

__all__ = ["CLEAR", "DUMP", "LOOK", "World", "inputs", "read", "shown", "told"]

#: What lies under keys, also under those where nothing is.
World: TypeAlias = dict[str, Thing]

_EACH = """
local found = redis.call('KEYS', 'test:*')
table.sort(found)
for at, key in ipairs(found) do
%s
end
return found
"""
#: Deletes all that is in the world.
CLEAR: Command = ("EVAL", _EACH % "redis.call('DEL', key)", 0)
#: Returns all that is in the world, to the last bit.
DUMP: Command = ("EVAL", _EACH % "found[at] = key .. ' ' .. redis.call('DUMP', key)", 0)
_LOOK = """
  local kind, there = redis.call('TYPE', key).ok, nil
  if kind == 'hash' then there = redis.call('HGETALL', key)
  elseif kind == 'set' then there = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then there = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'list' then there = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'string' then there = redis.call('GET', key)
  else there = redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0) end
  found[at] = {key, kind, redis.call('TTL', key), there}
"""
#: Returns all that is in the world: keys with their types, seconds that are left to them, and contents.
LOOK: Command = ("EVAL", _EACH % _LOOK, 0)

_KINDS: Mapping[str, type[Thing]] = {
    "hash": Hash, "set": set, "zset": Scores, "list": list, "string": Name, "stream": Stream
}  # fmt: skip
#: What the server takes from its clock: seconds, and the milliseconds in ids of entries.
_SECONDS, _MILLISECONDS = range(10**9, 10**11), range(10**12, 10**14)


def read(keys: Sequence[Key], looked: Reply) -> World:
    """Read what `LOOK` has returned."""
    world: World = {key.key: _KINDS[key.kind]() for key in keys}
    for found in items(looked):
        key, kind, ttl, there = items(found)
        world[text(key)] = _thing(text(kind), None if ttl == -1 else integer(ttl), there)
    return world


def _thing(kind: str, ttl: int | None, there: Reply) -> Thing:
    if kind == "stream":
        return _stream(there)
    if kind == "string":
        return Name(text(there))
    if kind in {"set", "list"}:
        members = [text(member) for member in items(there)]
        return set(members) if kind == "set" else members
    stored = {name: value.decode() for name, value in mapping(there).items()}
    thing: Hash | Scores
    if kind == "hash":
        thing = Hash({name: str(NOW) if _is_time(value) else value for name, value in stored.items()})
    else:
        thing = Scores({member: float(NOW if _is_time(score) else score) for member, score in stored.items()})
    thing.ttl = ttl
    return thing


def _is_time(value: str) -> bool:
    return value.isdigit() and int(value) in _SECONDS


def _stream(there: Reply) -> Stream:
    about = _named(there)
    new = _new(there)
    stored = {text(entry): tuple(text(part) for part in flat or ()) for entry, flat in entries(about["entries"])}
    groups = [_named(group) for group in items(about["groups"])]
    last = text(about["last-generated-id"])
    return Stream(
        there=True,
        entries={new.get(entry, entry): flat for entry, flat in stored.items()},
        groups={
            text(group["name"]): Group(
                text(group["last-delivered-id"]), [text(items(given)[0]) for given in items(group["pending"])]
            )
            for group in groups
        },
        last=new.get(last, last),
    )


def _new(there: Reply) -> dict[str, str]:
    """Return what models call the entries of a stream that have ids by the server's clock."""
    ids = [text(entry) for entry, _ in entries(_named(there)["entries"])]
    added = [entry for entry in ids if int(entry.partition("-")[0]) in _MILLISECONDS]
    return {entry: f"+{number}" for number, entry in enumerate(added, 1)}


def _named(flat: Reply) -> dict[str, Reply]:
    parts = items(flat)
    return {text(name): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def shown(world: World) -> dict[str, tuple[Thing, int | None]]:
    """Return what is there, in a form that can be compared."""
    return {key: (thing, getattr(thing, "ttl", None)) for key, thing in world.items() if thing}


def told(reply: Reply, looked: Reply, like: Answer) -> Answer:
    """Return a reply in the form that a model's answer has; of an error its code, with a minus before it.

    Args:
        reply: Of the script.
        looked: What `LOOK` has returned afterwards.
        like: The model's answer.
    """
    new = {
        entry: name
        for _, kind, _, there in map(items, items(looked))
        if kind == b"stream"
        for entry, name in _new(there).items()
    }

    def plain(part: Reply) -> Answer:
        if isinstance(part, list):
            return [plain(one) for one in part]
        if isinstance(part, bytes):
            return new.get(text(part), text(part))
        assert part is None or isinstance(part, int), part
        return part

    if isinstance(reply, ReplyError):
        return f"-{str(reply).partition(' ')[0]}"
    if isinstance(like, set):
        return {text(member) for member in items(reply)}
    if isinstance(like, dict):
        return {name: value.decode() for name, value in mapping(reply).items()}
    return plain(reply)


def inputs(script: Script, keys: Sequence[Key], arguments: Sequence[str], world: World) -> dict[str, object]:
    """Return what a model may take, by name: things, the keys they lie under (``<name>_key``), arguments."""
    found: dict[str, object] = {}
    for key in keys:
        found |= {key.name: world[key.key], f"{key.name}_key": key.key}
    for at, name in enumerate(script.keys):
        if name.endswith("..."):
            found[name.removesuffix("...")] = {key.key: world[key.key] for key in keys[at:]}
    for at, name in enumerate(script.arguments):
        found[name.removesuffix("...")] = list(arguments[at:]) if name.endswith("...") else arguments[at]
    if "jobs" in script.arguments:
        prefix = str(found["jobs"])
        found["jobs"] = {key.removeprefix(prefix): thing for key, thing in world.items() if key.startswith(prefix)}
    return found
