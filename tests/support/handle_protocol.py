"""The counting of handles as a model: every state that two clients, messages between them, and deaths can bring about.

One actor A is counted. ``x`` is a driver that calls actor B, once; ``y`` is B's worker. What travels may be a handle to
A in the call, one in its result, or a reference in the call to an object of x that has a handle to A in it. A client
may die between any two steps, and what it has sent may be executed after its death, in part or not at all; its
connection may break once, so that everything unacknowledged is sent again; a supervisor may die between any two steps,
so that another one begins anew.

A step is a script executed, a message read, or something that a process does by itself. Names of holders: ``x1`` is x's
first hold on A, ``m`` the token of the call, ``r`` that of the result, ``o`` that of the object.
"""

from typing import NamedTuple, TypeAlias

#: A command on the connection of a client: a script or SREM, and its arguments.
Command: TypeAlias = tuple[str, ...]
#: What a supervisor has yet to do about a member of a buried client's index: client, member, commands.
Duty: TypeAlias = tuple[str, str, tuple[Command, ...]]

NOTHING: frozenset[str] = frozenset()


class Rules(NamedTuple):
    """The protocol's rules; a broken protocol lacks one.

    Attributes:
        hold_before_commit: A worker's holds are acknowledged before it settles the call that brought the handles.
        releases_are_named: A release removes the holder that it names; else it counts down.
        holds_are_numbered: A second hold of a client has another name than the first.
        dead_hold_nothing: `hold` and `publish` refuse a client that has been buried.
        dead_send_nothing: `submit` refuses such a client, too.
        dead_return_nothing: `commit` refuses outcomes that carry what such a client lent.
        arrivals_are_looked_for: A burial keeps the token of a message that has arrived.
        strays_are_released: A burial releases the token of a message that has not arrived.
        commit_gives: `commit` makes the caller's index answer for what an outcome carries.
        commit_takes: From then on the worker's index does not.
        entry_hands_over: Whoever removes an entry releases what it carried.
        outbox_releases_first: An entry of the outbox is deleted when what it names has been released.
        burial_releases_first: So is an object of a client that is buried.
        fetched_is_held: What an object carries is held by who fetched it before the object is looked for again.
    """

    hold_before_commit: bool = True
    releases_are_named: bool = True
    holds_are_numbered: bool = True
    dead_hold_nothing: bool = True
    dead_send_nothing: bool = True
    dead_return_nothing: bool = True
    arrivals_are_looked_for: bool = True
    strays_are_released: bool = True
    commit_gives: bool = True
    commit_takes: bool = True
    entry_hands_over: bool = True
    outbox_releases_first: bool = True
    burial_releases_first: bool = True
    fetched_is_held: bool = True


class Plan(NamedTuple):
    """What may happen.

    Attributes:
        carrier: What the handle travels in: the ``"call"``, its ``"result"``, an ``"object"`` a reference to which is
            in the call, or the ``"value"`` of that object, which y reads; then the call has been made.
        breaks: How often each connection may break.
        deaths: Clients that may die.
    """

    carrier: str
    breaks: int = 0
    deaths: str = "xy"


class Client(NamedTuple):
    """A process.

    Attributes:
        handle: Its program has a handle to A.
        hold: Number of its hold on A, 0 for none; it goes when neither the program nor a message needs it.
        held: Number of the last hold that it had.
        sending: A message that carries the handle has not been acknowledged.
        ref: Its program has a reference to the object.
        value: What it has of the object's value: ``"seen"`` before it is safe, ``"kept"``, ``"read"`` or nothing.
        result: It has the call's result, which carries a handle.
        work: Where it is with the call.
        queue: What it has sent and not read the reply of, in order.
        replies: Of as many of these as have been executed.
        breaks: How often its connection may still break.
    """

    alive: bool = True
    handle: bool = False
    hold: int = 0
    held: int = 0
    sending: bool = False
    ref: bool = False
    value: str = ""
    result: bool = False
    work: str = ""
    queue: tuple[Command, ...] = ()
    replies: tuple[str, ...] = ()
    breaks: int = 0


class State(NamedTuple):
    """Processes, and what Redis knows.

    Attributes:
        sealed: A ends.
        holders: Of A.
        inboxes: Clients that count as alive.
        indexes: Members of the indexes of x and y.
        open: B takes calls; its worker's commits count.
        entries: Copies of the call in B's mailbox.
        carried: B's mailbox answers for the call's token.
        outcome: x's inbox has an outcome that carries a handle.
        object: The object is there, with A's token in it.
        object_holders: Of the object.
        outbox: Tokens to be released, and whether that has been done.
        duties: What supervisors are about.
    """

    x: Client
    y: Client
    sealed: bool = False
    holders: frozenset[str] = NOTHING
    inboxes: frozenset[str] = frozenset("xy")
    indexes: frozenset[tuple[str, str]] = frozenset()
    open: bool = True
    entries: int = 0
    carried: bool = False
    outcome: bool = False
    object: bool = False
    object_holders: frozenset[str] = NOTHING
    outbox: frozenset[tuple[str, bool]] = frozenset()
    duties: frozenset[Duty] = frozenset()

    def client(self, name: str) -> Client:
        """Return a client."""
        return self.x if name == "x" else self.y

    def put(self, name: str, client: Client) -> "State":
        """Return the state with another client in the place of one."""
        return self._replace(x=client) if name == "x" else self._replace(y=client)


def start(plan: Plan) -> State:
    """Return the first state: A has been created, and each client that needs a handle has one (`create`, `hold`)."""
    x = Client(handle=True, hold=1, held=1, work="idle", breaks=plan.breaks)
    y = Client(work="waiting", breaks=plan.breaks)
    state = State(x, y, holders=frozenset({"x1"}), indexes=frozenset({("x", "hold x1")}))
    if plan.carrier == "result":
        return state._replace(
            x=x._replace(work="calling"),
            y=y._replace(handle=True, hold=1, held=1),
            holders=state.holders | {"y1"},
            indexes=state.indexes | {("y", "hold y1")},
            entries=1,
        )
    if plan.carrier == "value":
        return state._replace(
            x=x._replace(handle=False, ref=True, value="kept", work="calling"),
            y=y._replace(ref=True, work="settled"),
            holders=state.holders | {"o"},
            indexes=state.indexes | {("x", "object"), ("y", "hold-object y1")},
            object=True,
            object_holders=frozenset({"x1", "y1"}),
        )
    return state


def alive(state: State, plan: Plan) -> bool:
    """Tell whether a living client has a handle to A, or will get one by a message (what I7 speaks of)."""
    x, y = state.x, state.y
    x_lives, y_lives = (client.alive and name in state.inboxes for name, client in (("x", x), ("y", y)))
    will_be_read = state.entries > 0 and state.open and y_lives and y.work == "waiting"
    has_ref = (x_lives and x.ref) or (y_lives and y.ref) or (will_be_read and plan.carrier == "object")
    return (
        (x_lives and (x.handle or x.sending or x.result or state.outcome))
        or (y_lives and (y.handle or y.value == "kept"))
        or (will_be_read and plan.carrier == "call")
        or (x_lives and has_ref)
    )


def clean(state: State) -> bool:
    """Tell whether nothing of all this is left (what I6 speaks of)."""
    left = (state.indexes, state.carried, state.object, state.object_holders, state.outbox, state.holders)
    return state.sealed and not any(left)
