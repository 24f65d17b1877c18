"""Incarnations, commits and the ledger as a model: every state that a caller and the lives of an actor can bring about.

A driver makes two calls to a serial actor. Connections may break, so that what was not acknowledged is sent again while
what had been sent before may still be executed, in part or not at all. The worker may die, or be stopped until a
supervisor counts it as lost, and go on later. The server may come back with an older copy of its data.

A step is a script executed, a reply or an entry read, or something that a process does by itself. Entries are numbered
by the server; calls by their caller, which is their number in the ledger, too.
"""

from typing import NamedTuple, TypeAlias

#: A call in the mailbox: entry, call.
Entry: TypeAlias = tuple[int, int]
#: An outcome: entry, call, what it says, and what the ledger is to say.
Given: TypeAlias = tuple[int, int, str, frozenset[int]]

CALLS = 2
NOBODY: frozenset[int] = frozenset()


class Rules(NamedTuple):
    """The protocol's rules; a broken protocol lacks one.

    Attributes:
        ledger: A call that has finished is recognised when it comes again.
        fence: What another incarnation than the present one commits is refused.
        certain: Who may have been stopped for long asks whether it still is the actor, before it starts anything.
        ripe: A commit tells the ledger what had finished when its call had, and not what has since.
        journal: Before a call starts, what has finished and is not acknowledged stands in the journal, which is sent
            after a death.
        once: A commit that finds no entry leaves the ledger as it is, which may know more by then.
        charges: A call that had started when its process died, and has no retry left, is settled.
        posts_again: After a restart of the server calls are posted again that it had acknowledged.
        homeless: An outcome that found no entry is given when its call comes again.
        forgotten: A call whose outcome was settled, and forgotten, runs again if it may.
        resent: One whose outcome is being sent again does not.
        answers: Any other call that comes again gets an outcome.
    """

    ledger: bool = True
    fence: bool = True
    certain: bool = True
    ripe: bool = True
    journal: bool = True
    once: bool = True
    charges: bool = True
    posts_again: bool = True
    homeless: bool = True
    forgotten: bool = True
    resent: bool = True
    answers: bool = True


class Plan(NamedTuple):
    """What may happen, and how often.

    Attributes:
        retries: Of both calls.
        breaks: Connections of the caller that break.
        worker_breaks: Connections of workers that break.
        deaths: Workers that die.
        stops: Workers that are stopped, and counted as lost.
        restarts: Of the server, with an older copy of its data or with what it had.
    """

    retries: int = 0
    breaks: int = 0
    worker_breaks: int = 0
    deaths: int = 0
    stops: int = 0
    restarts: int = 0


class Server(NamedTuple):
    """What Redis knows.

    Attributes:
        mailbox: The calls that are outstanding.
        last: Number of the last entry.
        token: The present incarnation.
        seen: The ledger.
        inbox: Outcomes for the caller.
        charges: How often each call has been charged.
    """

    mailbox: tuple[Entry, ...] = ()
    last: int = 0
    token: int = 1
    seen: frozenset[int] = NOBODY
    inbox: tuple[tuple[int, str], ...] = ()
    charges: tuple[int, ...] = (0,) * CALLS


class Caller(NamedTuple):
    """The driver.

    Attributes:
        made: How many calls it has made.
        acknowledged: Calls whose posts were acknowledged.
        sending: Calls on its connection that the server has not read.
        answers: Acknowledgements that it has not read.
        strays: Calls on a connection that it has given up.
        outcomes: What has become of each call; nothing yet.
        cut_off: It has to recover from a restart of the server.
    """

    made: int = 0
    acknowledged: frozenset[int] = NOBODY
    sending: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()
    strays: tuple[int, ...] = ()
    outcomes: tuple[str, ...] = ("",) * CALLS
    cut_off: bool = False


class Worker(NamedTuple):
    """A process that is or was the actor.

    Attributes:
        token: Its incarnation.
        state: ``lives``, ``stopped``, ``dead``, or ``gone`` when that has been seen to.
        read: The last entry that it was given.
        hand: Entries that it has read and not looked at.
        running: The entry that runs; the page keeps it.
        finished: Its ledger.
        journal: Outcomes that are not acknowledged, and outlive it.
        fresh: Outcomes that are not acknowledged, and do not. The page keeps that their calls have started.
        sending: Commits that the server has not read.
        answers: Commits that were executed, and whether they removed the entry; not read yet.
        strays: Commits on a connection that it has given up.
        homeless: Calls whose outcomes found no entry since the server was restarted.
        forgotten: Calls whose outcomes the server had forgotten then.
        resent: Calls whose outcomes were on their way then.
        recovered: The server has been restarted, and this worker knows.
        cut_off: It has to recover from a restart of the server.
    """

    token: int = 1
    state: str = "lives"
    read: int = 0
    hand: tuple[Entry, ...] = ()
    running: Entry | None = None
    finished: frozenset[int] = NOBODY
    journal: tuple[Given, ...] = ()
    fresh: tuple[Given, ...] = ()
    sending: tuple[Given, ...] = ()
    answers: tuple[tuple[Given, bool], ...] = ()
    strays: tuple[Given, ...] = ()
    homeless: frozenset[int] = NOBODY
    forgotten: frozenset[int] = NOBODY
    resent: frozenset[int] = NOBODY
    recovered: bool = False
    cut_off: bool = False


class State(NamedTuple):
    """All of it.

    Attributes:
        server: What Redis knows.
        caller: The driver.
        workers: By age.
        left: What may still happen.
        copy: The copy of the server's data, once it was made.
        starts: How often each call has started.
        ran: Calls that have run to their end.
        settled: Calls whose outcomes the server has.
        known: Calls whose outcomes it has, or had before it forgot them.
        forgot: The server has come back with older data.
        wrong: What should not have happened.
    """

    server: Server
    caller: Caller
    workers: tuple[Worker, ...]
    left: Plan
    copy: Server | None = None
    starts: tuple[int, ...] = (0,) * CALLS
    ran: frozenset[int] = NOBODY
    settled: frozenset[int] = NOBODY
    known: frozenset[int] = NOBODY
    forgot: bool = False
    wrong: str = ""


def start(plan: Plan) -> State:
    """Return the state in which the actor serves and nothing has been called."""
    return State(Server(), Caller(), (Worker(),), plan)


def answered(state: State) -> bool:
    """Tell whether every call has its outcome."""
    return all(state.caller.outcomes)
