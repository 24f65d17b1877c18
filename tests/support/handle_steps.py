"""The steps of the model of `handle_protocol`: what may happen next, and what it makes of a state."""

from collections.abc import Iterator
from typing import TypeAlias

from tests.support.handle_protocol import NOTHING, Client, Command, Plan, Rules, State

#: What happens, and the state afterwards.
Step: TypeAlias = tuple[str, State]


def steps(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    """Find everything that may happen next."""
    for name in "xy":
        yield from _server(state, name, plan, rules)
        yield from _burial(state, name, rules)
        client = state.client(name)
        if client.alive:
            for what, after in _process(state, name, plan):
                yield f"{name} {what}", after
    if state.x.alive:
        yield from _caller(state, plan, rules)
    if state.y.alive:
        yield from _worker(state, plan, rules)
    yield from _settling(state, plan, rules)
    yield from _outbox(state, plan, rules)


# What the scripts do.


def _seal(state: State, holder: str, rules: Rules) -> State:
    """Release a holder of A (`seal` with a holder)."""
    left = state.holders - {holder}
    if not rules.releases_are_named and holder not in state.holders:
        left = frozenset(sorted(state.holders)[1:])
    return state._replace(holders=left, sealed=state.sealed or not left)


def _drop(state: State, holder: str) -> State:
    """Release a holder of the object (`drop`)."""
    left = state.object_holders - {holder}
    if left or not state.object:
        return state._replace(object_holders=left)
    return state._replace(object_holders=left, object=False, outbox=state.outbox | {("o", False)})


def _indexed(state: State, name: str, member: str) -> State:
    """Add to a client's index; what is added to that of a buried one comes too late for its burial."""
    return state._replace(indexes=state.indexes | {(name, member)}) if name in state.inboxes else state


def _hold(state: State, name: str, holder: str, member: str) -> tuple[State, str]:
    """Hold A (`hold`)."""
    if state.sealed:
        return state, "0"
    return _indexed(state, name, member)._replace(holders=state.holders | {holder}), "1"


def _hold_object(state: State, name: str, holder: str, member: str) -> tuple[State, str]:
    """Hold the object (`hold`)."""
    if not state.object:
        return state, "0"
    return _indexed(state, name, member)._replace(object_holders=state.object_holders | {holder}), "1"


def _publish(state: State, name: str) -> tuple[State, str]:
    """Publish the object with its value (`publish`)."""
    if state.object:
        return state, ""
    return _indexed(state, name, "object")._replace(object=True, object_holders=state.object_holders | {"x1"}), ""


def _submit(state: State) -> tuple[State, str]:
    """Post the call (`submit`)."""
    if not state.open:
        return state, "nil"
    return state._replace(entries=state.entries + 1, carried=True), "entry"


def _execute(state: State, name: str, command: Command, rules: Rules) -> tuple[State, str]:
    """Execute a command of a client; return what it changed and its reply."""
    buried = name not in state.inboxes
    match command:
        case ("hold" | "hold-object" | "publish", *_) if buried and rules.dead_hold_nothing:
            answer = state, "GONE"
        case ("submit",) if buried and rules.dead_send_nothing:
            answer = state, "GONE"
        case ("hold", holder, member):
            answer = _hold(state, name, holder, member)
        case ("hold-object", holder, member):
            answer = _hold_object(state, name, holder, member)
        case ("publish",):
            answer = _publish(state, name)
        case ("submit",):
            answer = _submit(state)
        case ("seal", holder, member):
            answer = _seal(state, holder, rules)._replace(indexes=state.indexes - {(name, member)}), ""
        case ("drop", holder, member):
            answer = _drop(state, holder)._replace(indexes=state.indexes - {(name, member)}), ""
        case (_, member):
            answer = state._replace(indexes=state.indexes - {(name, member)}), ""
    return answer


# What every process does.


def _post(client: Client, *commands: Command) -> Client:
    return client._replace(queue=client.queue + commands)


def _take(client: Client, name: str, rules: Rules, **changed: object) -> Client:
    """Get a handle to A, or what keeps one: a hold, unless there is one (`Holdings.hold`)."""
    client = client._replace(**changed)  # type: ignore[arg-type]  # fields, by name
    if client.hold:
        return client
    number = client.held + 1 if rules.holds_are_numbered else 1
    holder = f"{name}{number}"
    return _post(client._replace(hold=number, held=number), ("hold", holder, f"hold {holder}"))


def _process(state: State, name: str, plan: Plan) -> Iterator[Step]:
    client = state.client(name)
    if (
        client.handle
        and client.work not in {"idle", "waiting"}
        and not (client.work == "running" and plan.carrier == "result")
    ):
        yield "drops its handle", state.put(name, client._replace(handle=False))
    if client.hold and not (client.handle or client.value or client.sending):
        holder = f"{name}{client.hold}"
        yield "releases", state.put(name, _post(client._replace(hold=0), ("seal", holder, f"hold {holder}")))
    if client.replies:
        yield "reads a reply", state.put(name, _acknowledged(client, plan))
        if client.breaks:
            yield "sends again", state.put(name, client._replace(breaks=client.breaks - 1, replies=()))
    if name in plan.deaths:
        left = client.queue[len(client.replies) :]
        yield "dies", state.put(name, Client(alive=False, work=client.work, queue=left, breaks=0))


def _acknowledged(client: Client, plan: Plan) -> Client:
    (command, *queue), (reply, *replies) = client.queue, client.replies
    client = client._replace(queue=tuple(queue), replies=tuple(replies))
    if command == ("publish",):
        return _post(client, ("SREM", "lent A o"))
    if command != ("submit",):
        return client
    kind, member = ("seal", "lent A m") if plan.carrier == "call" else ("drop", "lent O m")
    settled = ("SREM", member) if reply == "entry" else (kind, "m", member)
    return _post(client._replace(sending=False), settled)


# What the driver x does: it calls, and uses the result.


def _caller(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    x = state.x
    if x.work == "idle":
        yield "x calls", state._replace(x=_call(x, plan))
    if x.ref and x.work != "idle":
        yield "x drops its reference", state._replace(x=x._replace(ref=False))
    if x.value and not x.ref and not x.sending:
        left = x._replace(value="")
        yield "x releases the object", state._replace(x=_post(left, ("drop", "x1", "-"), ("SREM", "object")))
    if state.outcome:
        yield "x reads the outcome", state._replace(outcome=False, x=x._replace(result=True))
    if x.result and x.work == "calling":
        yield "x unpickles the result", state._replace(x=_take(x, "x", rules, handle=True, work="done"))
    if x.result:
        left = x._replace(result=False, work="done")
        yield "x drops the result", state._replace(x=_post(left, ("seal", "r", "-"), ("SREM", "carry r")))


def _call(x: Client, plan: Plan) -> Client:
    x = x._replace(work="calling", sending=True)
    if plan.carrier == "call":
        return _post(x, ("hold", "m", "lent A m"), ("submit",))
    # The value keeps what is in it, also its handle.
    x = _post(x._replace(handle=False, ref=True, value="kept"), ("hold", "o", "lent A o"), ("publish",))
    return _post(x, ("hold-object", "m", "lent O m"), ("submit",))


# What B's worker y does: it runs the call, and keeps or uses what came with it.


def _worker(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    y = state.y
    if y.work == "waiting" and state.entries:
        yield "y reads the call", state._replace(y=_arrived(y, plan, rules))
    if y.work == "running" and plan.carrier == "result":
        yield "y lends the result", state._replace(y=_post(y._replace(work="lent"), ("hold", "r", "lent A r")))
    ready = "lent" if plan.carrier == "result" else "running"
    if y.work == ready and (not y.queue or not rules.hold_before_commit):
        yield "y settles the call", state._replace(y=y._replace(work="settling"))
    if y.work == "settled" and state.entries:
        yield "y discards a copy", _removed(state, rules)
    if y.ref:
        yield from _borrower(state, plan, rules)


def _arrived(y: Client, plan: Plan, rules: Rules) -> Client:
    y = y._replace(work="running")
    if plan.carrier == "call":
        return _take(y, "y", rules, handle=True)
    if plan.carrier == "object":
        return _post(y._replace(ref=True), ("hold-object", "y1", "hold-object y1"))
    return y


def _borrower(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    y = state.y
    there = state.object and "x" in state.inboxes
    if plan.carrier == "value" and not y.value and there and not y.held:
        seen = _take(y, "y", rules, value="seen") if rules.fetched_is_held else y._replace(value="kept")
        yield "y fetches the value", state._replace(y=seen)
    if y.value == "seen" and not y.queue:
        yield "y looks again", state._replace(y=y._replace(value="kept" if there else ""))
    if y.value == "kept":
        yield "y unpickles the value", state._replace(y=_take(y, "y", rules, handle=True, value="read"))
    if y.value != "seen":
        left = y._replace(ref=False, value="")
        yield "y drops its reference", state._replace(y=_post(left, ("drop", "y1", "hold-object y1")))


# What the server and the supervisors do.


def _server(state: State, name: str, plan: Plan, rules: Rules) -> Iterator[Step]:
    client = state.client(name)
    if len(client.queue) == len(client.replies):
        return
    command = client.queue[len(client.replies)]
    after, reply = _execute(state, name, command, rules)
    if client.alive:
        client = client._replace(replies=(*client.replies, reply))
        # Whether a reply is read at once matters only where it might be lost.
        yield f"{command} of {name}", after.put(name, client if client.breaks else _acknowledged(client, plan))
    else:
        yield f"{command} of {name}, late", after.put(name, client._replace(queue=client.queue[1:]))
        yield f"{name}'s last words are lost", state.put(name, client._replace(queue=()))


def _removed(state: State, rules: Rules) -> State:
    """Remove an entry; what it carried goes to the outbox in the same script (`commit`)."""
    if not state.carried:
        return state._replace(entries=state.entries - 1)
    outbox = state.outbox | {("m", False)} if rules.entry_hands_over else state.outbox
    return state._replace(entries=state.entries - 1, carried=False, outbox=outbox)


def _settling(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    """Settle calls: the worker's commit, perhaps after its death, and the drain of an actor that has ended."""
    y = state.y
    if y.work == "settling":
        settled = state._replace(y=y._replace(work="settled"))
        fenced = plan.carrier == "result" and "y" not in state.inboxes and rules.dead_return_nothing
        if state.open and not fenced and state.entries:
            yield "commit", _committed(settled, plan, rules)
        else:
            yield "commit is FENCED", settled
        if not y.alive:
            yield "commit is lost", settled
    if not y.alive and state.open:
        yield "B is sealed", state._replace(open=False)
    if not state.open and state.entries:
        yield "drain", _removed(state, rules)


def _committed(state: State, plan: Plan, rules: Rules) -> State:
    state = _removed(state, rules)
    if plan.carrier != "result":
        return state
    if rules.commit_takes:
        state = state._replace(indexes=state.indexes - {("y", "lent A r")})
    if "x" not in state.inboxes:
        return state._replace(outbox=state.outbox | {("r", False)})
    state = state._replace(outcome=True)
    return _indexed(state, "x", "carry r") if rules.commit_gives else state


def _outbox(state: State, plan: Plan, rules: Rules) -> Iterator[Step]:
    """Release the tokens in the outbox, any number of times, then delete the entry."""
    for entry in state.outbox:
        token, done = entry
        left = state.outbox - {entry}
        of_object = token == "m" and plan.carrier == "object"
        released = _drop(state, token) if of_object else _seal(state, token, rules)
        yield f"{token} is released", released._replace(outbox=released.outbox - {entry} | {(token, True)})
        if done or not rules.outbox_releases_first:
            yield f"{token} leaves the outbox", state._replace(outbox=left)


def _burial(state: State, name: str, rules: Rules) -> Iterator[Step]:
    """Bury a client that is dead: its inbox goes first (`bury`), then its index is worked off, one by one."""
    if state.client(name).alive:
        return
    if name in state.inboxes:
        yield f"bury {name}", state._replace(inboxes=state.inboxes - {name})
        return
    begun = any(whose == name for whose, _, _ in state.duties)
    for whose, member in state.indexes:
        if whose == name and not begun:
            duty = (whose, member, _duty(state, member, rules))
            yield f"a look at {member} of {name}", state._replace(duties=state.duties | {duty})
    for duty in state.duties:
        if duty[0] == name:
            yield f"{duty[1]} of {name} is worked off", _worked_off(state, duty, rules)
    if state.duties and name == min(duty[0] for duty in state.duties):
        yield "the supervisor dies", state._replace(duties=frozenset())


def _duty(state: State, member: str, rules: Rules) -> tuple[Command, ...]:
    match member.split():
        case ["hold", holder]:
            return (("seal", holder),)
        case ["hold-object", holder]:
            return (("drop", holder),)
        case ["carry", token]:
            return (("seal", token),)
        case ["object"]:
            both: tuple[Command, ...] = (("seal", "o"), ("delete",)) if state.object else ()
            return both if rules.burial_releases_first else both[::-1]
    _, target, token = member.split()
    arrived = {"m": state.carried, "r": ("x", "carry r") in state.indexes, "o": False}[token]
    if (arrived and rules.arrivals_are_looked_for) or not rules.strays_are_released:
        return ()
    return (("seal" if target == "A" else "drop", token),)


def _worked_off(state: State, duty: tuple[str, str, tuple[Command, ...]], rules: Rules) -> State:
    whose, member, commands = duty
    left = state.duties - {duty}
    if commands:
        kind, *holder = commands[0]
        if kind == "delete":
            state = state._replace(object=False, object_holders=NOTHING)
        else:
            state = _seal(state, holder[0], rules) if kind == "seal" else _drop(state, holder[0])
    if len(commands) > 1:
        return state._replace(duties=left | {(whose, member, commands[1:])})
    return state._replace(duties=left, indexes=state.indexes - {(whose, member)})
