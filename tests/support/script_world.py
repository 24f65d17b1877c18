"""Small worlds for scripts: keys of the right types with plausible contents, and arguments that fit them."""

from collections.abc import Mapping
from random import Random

from callboard_broker.scripts import Script
from callboard_broker.wire import Command, Reply, Wire

__all__ = ["LASTING", "arguments_of", "build", "contents"]

#: Types of keys by their names in scripts; the others are hashes.
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(
        ["mailbox", "sealed", "inbox", "outbox", "control", "rejected", "requests", "events", "letters", "worker",
         "worker_inbox", "owner_inbox", "guard", "inboxes"], "stream"),
    **dict.fromkeys(
        ["actors", "holds", "worker_holds", "owner_holds", "caller_holds", "index", "users", "clients", "queues",
         "waiters", "workers"], "set"),
    **dict.fromkeys(["dead", "running", "finished", "failed", "ended"], "zset"),
    **dict.fromkeys(["queue", "intermediate"], "list"),
    "name": "string",
}  # fmt: skip

_ACTORS, _CLIENTS, _TOKENS = ["a1", "a2"], ["c1", "c2"], ["T1", "T2"]
_CALLS, _ENTRIES, _TARGETS = ["c1/1", "c2/2"], ["1-1", "2-1", "3-1"], ["", "a:a1", "a:a1 o:r1"]

#: Fields that scripts read, and what may stand there.
_FIELDS: Mapping[str, list[str]] = {
    "token": _TOKENS, "state": ["PENDING_CREATION", "DEPENDENCIES_UNREADY", "ALIVE", "RESTARTING", "DEAD", "READY"],
    "sealed": ["", "killed", "out_of_scope"], "detached": ["0", "1"], "voided": ["0", "1"], "node": ["", "n1"],
    "group": _TOKENS, "incarnation": ["1"], "num_restarts": ["0"], "last_id": ["0-0"], "shutdown_started": ["0", "1"],
    "gone": ["", "SIGKILL"], "leaving": ["", "normal"], "worker": ["", *_CLIENTS], "carried": _TARGETS,
    "tokens": _TARGETS, "tasks": ["0", "5"], "rejected": ["0"], "c1": ["3", "3|5"], "c:c1": _CLIENTS,
    "m:c1/1": _CLIENTS, "c1/1": ["a:a1"], "definition": ["sha"], "q": ["{}"],
}  # fmt: skip
_MEMBERS = ["hold a1", "own a1", "task i1", "lent a:a1 r:c1/1 c1", "class sha", "a1", "a:a1", "c:c1", "t:i1", "c1"]

#: What arguments may be; those that end in dots stand for any number.
_ARGUMENTS: Mapping[str, list[str]] = {
    "actor": _ACTORS, "client": _CLIENTS, "token": _TOKENS, "expected": _TOKENS, "call": _CALLS, "entry": _ENTRIES,
    "id": ["i1", "c1/1#1"], "worker": ["", "*", *_CLIENTS], "caller": ["c1"], "holder": ["", "c:c1", "m:c1/1"],
    "member": _MEMBERS, "user": ["a:a1", "c:c1"], "numbers": ["4"], "number": ["1", "4", "9"], "force": ["0", "1"],
    "reason": ["terminate", "out_of_scope", "owner_died"], "cause": ["{}"], "stale": _ACTORS, "sha": ["sha"],
    "ref": ["r1"], "how": ["SIGTERM"], "now": ["7"], "node": ["n1"], "restarts": ["0", "1"], "state": ["RESTARTING"],
    "group": _TOKENS, "last": ["0-0", "2-1"], "op": ["cancel"], "recall": ["", "recall"],
    "outcome": ["c1/1 ok mac"], "body": ["b"],
    "item": ["c1/1#1"], "tokens": _TARGETS, "letter": _ENTRIES, "predecessor": ["", "a2"], "place": ["0", "1"],
    "detached": ["0", "1"], "queue_name": ["q"], "required": ["{}"], "attempts": ["1"], "rq_status": ["", "finished"],
    "expiry": ["99"], "ttl": ["500"], "kept": ["100"], "jobs": ["test:job:"], "creation_fields": ["2"],
    "task_fields": ["2"], "seen_fields": ["2"],
}  # fmt: skip

#: What comes last in some scripts.
_REST: Mapping[str, list[list[str]]] = {
    "entries_then_outcomes...": [["1-1", "c1/1 ok mac", "b"], ["1-1", "2-1", "c1/1 ok m", "b", "c1/2 ok m", "b"]],
    "fields_and_items...": [
        ["c1", "4", "1-1", "1", "", "c1/1", "", "c1/1 ok mac", "b"],
        ["c1", "4", "1-1", "1", "ca", "c1/1", "a:a1", "c1/1 ok mac", "b", "2-1", "0", "c", "c1/2", "", "", ""],
    ],
    "calls_and_charges...": [["c1/1", "1 1 m"], ["c1/1", "2 2 m", "c2/2", "1 1 m"]],
    "record_and_creation...": [["args", "x", "state", "PENDING_CREATION", "token", "T1", "sealed", ""]],
    "task_and_job...": [["worker", "", "status", "queued"]],
    "entry...": [[], ["call", "end", "body", ""]],
    "letter...": [["call", "c1/1"]],
}

#: Scripts whose second run does something, and why that is right.
LASTING: Mapping[str, str] = {
    "beat": "a counter moves; what matters is that it does",
    "submit": "a call that comes twice is told by the actor's ledger",
    "tell": "being told the same again changes nothing for a worker",
    "yield": "an item that comes twice is told by its number",
    "yield_task": "the same",
}


def arguments_of(script: Script, chance: Random) -> list[str]:
    """Choose arguments for a script."""
    return [value for name in script.arguments for value in _values(name, chance)]


def _values(name: str, chance: Random) -> list[str]:
    if not name.endswith("..."):
        return [chance.choice(_ARGUMENTS[name])]
    return chance.choice(_REST.get(name, [["field", "value"]]))


def build(script: Script, chance: Random) -> list[tuple[str, list[Command]]]:
    """Choose a world: the keys of a script, two for a last one that stands for several, and what makes each of them."""
    names = [name.removesuffix("...") for name in script.keys]
    if script.keys[-1].endswith("..."):
        names += ["holds"]
    # A mailbox is renamed when it is sealed: there is one of the two.
    absent = chance.choice(["mailbox", "sealed"])
    made = []
    for number, name in enumerate(names):
        key, kind = f"test:{number}:{name}", _TYPES.get(name, "hash")
        there = name != absent and chance.random() < 0.7
        made.append((key, _making(key, kind, script.text, chance) if there else []))
    return made


def _making(key: str, kind: str, script: str, chance: Random) -> list[Command]:
    if kind == "hash":
        flat = []
        for name, values in _FIELDS.items():
            named = [value for value in values if f"'{value}'" in script]
            flat += [name, chance.choice([*named, *values])]
        return [("HSET", key, *flat)]
    if kind == "stream":
        groups: list[Command] = [("XGROUP", "CREATE", key, token, "0", "MKSTREAM") for token in ["waiting", *_TOKENS]]
        return [*groups, *[("XADD", key, entry, "call", "x") for entry in _some(_ENTRIES, chance)]]
    members = _some([*_MEMBERS, "i1"], chance) or ["i1"]
    if kind == "zset":
        return [("ZADD", key, *[part for member in members for part in (1, member)])]
    if kind == "string":
        return [("SET", key, chance.choice(_ACTORS))]
    return [("SADD" if kind == "set" else "RPUSH", key, *members)]


def _some(values: list[str], chance: Random) -> list[str]:
    return [value for value in values if chance.random() < 0.5]


def contents(wire: Wire) -> Reply:
    """Return all that is in the world."""
    return wire.call("EVAL", _DUMP, 0)


_DUMP = """
local found = redis.call('KEYS', 'test:*')
table.sort(found)
for at, key in ipairs(found) do found[at] = key .. ' ' .. redis.call('DUMP', key) end
return found
"""
