"""Small worlds for scripts: keys of the right types with plausible contents, and arguments that fit them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from callboard_broker.packing import Command
from callboard_broker.scripts import Script

__all__ = ["LASTING", "Key", "arguments_of", "build", "command_of"]

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
#: Keys that may be of several types.
_OTHER_TYPES: Mapping[str, list[str]] = {
    "guard": ["stream", "hash", "set"],
    "keys": ["hash", "set", "zset", "list", "string", "stream"],
}
#: What a key that stands for several is.
_SEVERAL: Mapping[str, list[str]] = {"inboxes...": ["inboxes", "holds"] * 2, "keys...": ["keys"] * 3}
#: Keys that may be one: a node answers for itself, an actor may call itself.
_THE_SAME: Mapping[str, Mapping[str, str]] = {
    "beat": {"guard": "record"},
    "yield": {"inbox": "worker", "index": "worker_holds"},
    "yield_task": {"inbox": "worker_inbox", "index": "worker_holds"},
    "settle_task": {"worker_inbox": "inbox", "holds": "caller_holds"},
}

#: Keys that are not there when another one is not.
_WITH: Mapping[tuple[str, str], set[str]] = {("create", "record"): {"mailbox"}}

_ACTORS, _CLIENTS, _TOKENS = ["a1", "a2"], ["c1", "c2"], ["T1", "T1", "T1", "T2"]
_CALLS, _TASKS, _ENTRIES = ["c1/1", "c2/2"], ["i1", "i2", "i3"], ["1-1", "2-1"]
_TARGETS = ["", "a:a1", "a:a1 o:r1"]

#: What may stand in the fields of hashes; None: the field may be missing.
_FIELDS: Mapping[str, Mapping[str, list[str | None]]] = {
    "record": {
        "token": [*_TOKENS], "sealed": ["", "killed", "out_of_scope"], "voided": ["0", "1"], "node": ["", "n1"],
        "state": ["PENDING_CREATION", "DEPENDENCIES_UNREADY", "ALIVE", "RESTARTING", "RESTARTING", "DEAD"],
        "group": ["waiting", "G1", "G2"], "incarnation": ["1"], "num_restarts": ["0", "2"], "last_id": ["0-0", "2-1"],
        "shutdown_started": ["0", "1"], "rejected": ["0", "4"], "detached": ["0", "1"],
    },
    "object": {"state": ["PENDING", "READY"], "tokens": [None, *_TARGETS]},
    "node": {"beat": [None, "5"], "free": ["{}"]},
    "client": {"gone": ["", "", "SIGKILL"], "leaving": ["", "normal"]},
    "client_record": {"tasks": [None, "0", "3"], "gone": [""]},
    "creation": {"args": ["x"], "tokens": [None, *_TARGETS]},
    "definition": {"definition": ["sha"]},
    "seen": {"c1": [None, "3", "3|5"], "c2": [None, "1"]},
    "attempts": {"c1/1": [None, "1 1 m"], "c2/2": [None, "2 1 m"]},
    "carried": {"c1/1": [None, "a:a1"], "c2/2": [None, "a:a2 o:r1"]},
    "holders": {"c:c1": [None, *_CLIENTS], "m:c1/1": [None, *_CLIENTS]},
    "task": {"worker": ["", *_CLIENTS], "node": ["", "n1"], "carried": [*_TARGETS], "attempts": ["0"]},
    "job": {"status": ["queued", "started"], "worker_name": [None, *_CLIENTS]},
    "pools": {"q": ["{}"], "p": [None, "{}"]},
    "rq_worker": {"state": ["busy"], "failed_job_count": [None, "2"]},
    "keys": {"field": ["value"]},
}  # fmt: skip
#: Keys of one script that may be another's.
_ALSO: Mapping[tuple[str, str], list[str]] = {
    ("hold", "record"): ["record", "object"],
    ("beat", "record"): ["client", "node"],
    ("beat", "guard"): ["node"],
}

_LENT = ["lent a:a1 r:c1/1 c1", "lent o:r1 r:c1/1 c1", "lent a:a1 r:c1/1#1 c1", "lent a:a1 r:c1/2 c1"]
_HOLDINGS = ["hold a1", "own a1", "task i1", "class sha", "object r1", *_LENT]
#: Members of sets, sorted sets and lists; the others have those of an index of holdings.
_MEMBERS: Mapping[str, list[str]] = {
    "actors": _ACTORS, "dead": _ACTORS, "clients": _CLIENTS, "waiters": _CLIENTS, "workers": _CLIENTS,
    "users": ["a:a1", "c:c1", "t:i1"], "running": ["i1:c1", "i1:c2", "i2:c1"],
    # A task that was put back while a slow worker had it is in its queue twice.
    "queue": [*_TASKS, "i1"],
    **dict.fromkeys(["intermediate", "finished", "failed", "ended"], _TASKS),
    # The name of the queue, which is the second or the sixth key.
    "queues": ["test:1:queue", "test:5:queue"],
}  # fmt: skip

#: How likely an entry is in a stream; actors end when there is none.
_LIKELY: Mapping[str, float] = {"finish": 0.2}

#: What arguments may be. After a script's name: in that script.
_ARGUMENTS: Mapping[str, list[str]] = {
    "actor": _ACTORS, "client": _CLIENTS, "token": _TOKENS, "expected": _TOKENS, "call": _CALLS, "entry": _ENTRIES,
    "id": ["i1"], "yield_task id": ["c1/1#1"], "register id": _CLIENTS, "worker": ["", *_CLIENTS],
    "caller": ["c1"], "holder": ["c:c1", "m:c1/1"], "seal holder": ["", "c:c1", "m:c1/1"],
    "seal client": ["", *_CLIENTS], "drop client": ["", *_CLIENTS], "settle_task worker": ["*", "*", *_CLIENTS],
    "settle_task call": ["c1/1"], "seal reason": ["out_of_scope", "owner_died"], "start token": [*_TOKENS, "T3"],
    "member": _HOLDINGS, "user": ["a:a1", "c:c1"], "numbers": ["4"], "number": ["1", "4", "9"], "force": ["0", "1"],
    "reason": ["terminate", "out_of_scope", "owner_died"], "cause": ["{}"], "stale": ["", *_ACTORS], "sha": ["sha"],
    "ref": ["r1"], "how": ["SIGTERM"], "now": ["7"], "node": ["n1"], "restarts": ["0", "1"], "state": ["RESTARTING"],
    "group": ["G2", "G3"], "last": ["0-0", "2-1"], "op": ["cancel"], "recall": ["", "recall"],
    "outcome": ["c1/1 ok mac"], "settle_task outcome": ["", "c1/1 ok mac"], "body": ["b"],
    "item": ["c1/1#1"], "tokens": _TARGETS, "letter": _ENTRIES, "predecessor": ["", "a2"], "place": ["0", "1"],
    "detached": ["0", "1"], "queue_name": ["q"], "required": ["{}"], "attempts": ["1"],
    "rq_status": ["", "", "finished", "failed"], "expiry": ["99"], "ttl": ["500"], "kept": ["1", "100"],
    "jobs": ["test:job:"], "before": ["", "n1"], "adopt node": ["n2"], "creation_fields": ["2"], "task_fields": ["2"],
}  # fmt: skip

#: What comes last in some scripts.
_REST: Mapping[str, list[list[str]]] = {
    "entries_then_outcomes...": [["1-1", "c1/1 ok mac", "b"], ["1-1", "2-1", "c1/1 ok m", "b", "c1/2 ok m", "b"]],
    # The number of fields comes with them.
    "seen_fields": [[]],
    "fields_and_items...": [
        ["0", "1-1", "0", "", "c1/1", "", "", ""],
        ["2", "c1", "4", "1-1", "1", "", "c1/1", "", "c1/1 ok mac", "b"],
        ["2", "c1", "4", "1-1", "1", "ca", "c1/1", "a:a1", "c1/1 ok m", "b", "2-1", "0", "c", "c1/2", "", "", ""],
        ["2", "c2", "2", "1-1", "0", "", "c1/1", "a:a1 o:r1", "", "", "2-1", "3", "a", "c2/2", "a:a1", "c2/2 ok", "b"],
    ],
    "calls_and_charges...": [["c1/1", "1 1 m"], ["c1/1", "2 2 m", "c2/2", "1 1 m"]],
    "record_and_creation...": [["args", "x", "state", "PENDING_CREATION", "token", "T1", "sealed", ""]],
    "task_and_job...": [["worker", "", "status", "queued"]],
    "entry...": [[], ["call", "end", "body", ""]],
    "letter...": [["call", "c1/1"]],
    "types...": [["hash", "set", "stream"], ["stream", "string", "list"], ["zset", "hash", "hash"]],
    "beat fields...": [[], ["leaving", "normal"]],
    "publish fields...": [["state", "PENDING"], ["state", "READY", "value", "v"]],
}

#: Scripts whose second run does something, and why that is right.
LASTING: Mapping[str, str] = {
    "beat": "a counter moves; what matters is that it does",
    "submit": "a call that comes twice is told by the actor's ledger",
    "tell": "being told the same again changes nothing for a worker",
    "yield": "an item that comes twice is told by its number",
    "yield_task": "the same",
}


@dataclass(frozen=True)
class Key:
    """A key of a world.

    Attributes:
        name: In the script; empty when the script finds it by an argument.
        key: On the server.
        kind: Type of what is there or might be, as Redis calls it.
        making: Commands that make it; none when nothing is there.
    """

    name: str
    key: str
    kind: str
    making: list[Command]


def command_of(script: Script, world: Sequence[Key], arguments: Sequence[str]) -> Command:
    """Return the command that runs a script in a world."""
    return script.eval([key.key.encode() for key in world if key.name], arguments)


def arguments_of(script: Script, chance: Random) -> list[str]:
    """Choose arguments for a script."""
    return [value for name in script.arguments for value in _values(script.name, name, chance)]


def _values(script: str, name: str, chance: Random) -> list[str]:
    of_script = f"{script} {name}"
    if name in _ARGUMENTS:
        return [chance.choice(_ARGUMENTS.get(of_script) or _ARGUMENTS[name])]
    return chance.choice(_REST.get(of_script) or _REST.get(name, [["field", "value"]]))


def build(script: Script, chance: Random) -> list[Key]:
    """Choose a world: the keys of a script, some for a last one that stands for several, and those of jobs."""
    *names, last = script.keys
    names += _SEVERAL.get(last, [last])
    same = _THE_SAME.get(script.name, {}) if chance.random() < 0.3 else {}
    # A mailbox is renamed when it is sealed: there is one of the two.
    ending = chance.random() < 0.5
    gone = {"mailbox" if ending else "sealed"} if "sealed" in names else set()
    made: list[Key] = []
    # Most keys are there in some worlds, few in others.
    density = chance.choice([0.3, 0.9])
    for number, name in enumerate(names):
        twin = next((key for key in made if key.name == same.get(name)), None)
        if twin:
            made.append(Key(name, twin.key, twin.kind, []))
            continue
        key, kind = f"test:{number}:{name}", chance.choice(_OTHER_TYPES.get(name, [_TYPES.get(name, "hash")]))
        there = name not in gone and chance.random() < density
        if not there:
            gone |= _WITH.get((script.name, name), set())
        made.append(Key(name, key, kind, _making(script, name, key, kind, ending, chance) if there else []))
    jobs = [f"test:job:{job}" for job in _TASKS if "jobs" in script.arguments]
    return made + [Key("", job, "hash", [("HSET", job, "status", "finished")]) for job in jobs]


def _making(script: Script, name: str, key: str, kind: str, ending: bool, chance: Random) -> list[Command]:
    if kind == "hash":
        flat = _fields(script, name, ending, chance)
        return [("HSET", key, *flat)] if flat else []
    if kind == "stream":
        return _stream(script, name, key, chance)
    if kind == "string":
        return [("SET", key, chance.choice(_ACTORS))]
    members = _some(_MEMBERS.get(name, _HOLDINGS), chance)
    if not members:
        return []
    if kind == "zset":
        return [("ZADD", key, *[part for member in members for part in (chance.randint(1, 3), member)])]
    return [("SADD" if kind == "set" else "RPUSH", key, *members)]


def _fields(script: Script, name: str, ending: bool, chance: Random) -> list[str]:
    flat = []
    for field, values in _FIELDS[chance.choice(_ALSO.get((script.name, name), [name]))].items():
        # What the script asks for is chosen more often.
        named = [value for value in values if f"'{value}'" in script.text]
        value = chance.choice([*named, *values])
        if field == "sealed":
            value = (value or "killed") if ending else ""
        if value is not None:
            flat += [field, value]
    return flat


def _stream(script: Script, name: str, key: str, chance: Random) -> list[Command]:
    likely = _LIKELY.get(script.name, 0.5)
    old = [f"0-{number}" for number in range(1, 101)] if name == "rejected" and chance.random() < 0.5 else []
    return [
        *[("XGROUP", "CREATE", key, group, "0", "MKSTREAM") for group in ["waiting", "G1"]],
        *[("XADD", key, entry, "call", "x") for entry in [*old, *_some(_ENTRIES, chance, likely)]],
        ("XREADGROUP", "GROUP", "G1", "w", "COUNT", chance.randint(1, 3), "STREAMS", key, ">"),
    ]


def _some(values: list[str], chance: Random, likely: float = 0.5) -> list[str]:
    return [value for value in values if chance.random() < likely]
