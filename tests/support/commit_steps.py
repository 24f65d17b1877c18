"""The steps of the model in `commit_protocol`."""

from collections.abc import Iterator

from tests.support.commit_protocol import CALLS, Given, Plan, Rules, Server, State, Worker

#: A step: what it is, and the state after it.
Step = tuple[str, State]


def steps(state: State, rules: Rules, plan: Plan) -> Iterator[Step]:
    """Yield all that can happen next."""
    yield from _caller(state, rules, plan)
    for index, worker in enumerate(state.workers):
        if worker.state == "lives":
            yield from _worker(state, index, rules, plan)
        yield from _deliveries(state, index, rules)
        yield from _supervisor(state, index, rules, plan)
    yield from _mishaps(state)


def _caller(state: State, rules: Rules, plan: Plan) -> Iterator[Step]:
    caller, server = state.caller, state.server
    if caller.cut_off:
        yield "caller recovers", _recalled(state, rules)
        return
    if caller.made < CALLS:
        made = caller.made + 1
        yield f"caller calls {made}", state._replace(caller=caller._replace(made=made, sending=(*caller.sending, made)))
    if caller.sending:
        call, *rest = caller.sending
        heard = caller._replace(sending=tuple(rest), answers=(*caller.answers, call))
        yield f"server takes {call}", state._replace(server=_posted(server, call), caller=heard)
    if caller.strays:
        call, *rest = caller.strays
        yield (
            f"server takes stray {call}",
            state._replace(server=_posted(server, call), caller=caller._replace(strays=tuple(rest))),
        )
        yield "server drops strays", state._replace(caller=caller._replace(strays=()))
    if caller.answers:
        call, *rest = caller.answers
        known = caller._replace(answers=tuple(rest), acknowledged=caller.acknowledged | {call})
        yield f"caller hears of {call}", state._replace(caller=known)
    read = _read(state, plan)
    if read.caller.outcomes != caller.outcomes:
        yield "caller reads", read


def _recalled(state: State, rules: Rules) -> State:
    """Do what a caller does about a restarted server."""
    caller = state.caller
    again = [
        call
        for call in range(1, caller.made + 1)
        if not caller.outcomes[call - 1] and (rules.posts_again or call not in caller.acknowledged)
    ]
    return state._replace(caller=caller._replace(cut_off=False, sending=tuple(again)))


def _read(state: State, plan: Plan) -> State:
    outcomes, wrong = list(state.caller.outcomes), state.wrong
    for call, what in state.server.inbox:
        if not outcomes[call - 1]:
            outcomes[call - 1] = what
            if what == "lost" and (plan.retries or not (state.forgot and call in state.known)):
                wrong = f"I1: the outcome of {call} is said to be lost"
    return state._replace(caller=state.caller._replace(outcomes=tuple(outcomes)), wrong=wrong)


def _posted(server: Server, call: int) -> Server:
    entry = server.last + 1
    return server._replace(last=entry, mailbox=(*server.mailbox, (entry, call)))


def _worker(state: State, index: int, rules: Rules, plan: Plan) -> Iterator[Step]:
    worker, server = state.workers[index], state.server
    name = f"worker {worker.token}"
    if worker.cut_off:
        yield f"{name} recovers", _with(state, index, _recovered(worker, server))
        return
    if worker.token == server.token:
        entry = next((entry for entry in server.mailbox if entry[0] > worker.read), None)
        if entry is not None:
            yield (
                f"{name} reads {entry}",
                _with(state, index, worker._replace(read=entry[0], hand=(*worker.hand, entry))),
            )
    if worker.answers:
        (given, removed), *rest = worker.answers
        heard = worker._replace(
            answers=tuple(rest),
            journal=tuple(one for one in worker.journal if one != given),
            fresh=tuple(one for one in worker.fresh if one != given),
        )
        homeless = worker.homeless | {given[1]} if worker.recovered and not removed else worker.homeless
        yield (
            f"{name} hears of {given}",
            _with(state, index, heard._replace(homeless=homeless)),
        )
    if worker.running is not None:
        yield f"{name} finishes {worker.running}", _finished(state, index)
    elif worker.hand:
        yield from _opened(state, index, rules, plan)


def _recovered(worker: Worker, server: Server) -> Worker:
    """Do what a worker does about a restarted server."""
    if worker.token != server.token:
        return worker._replace(state="dead", cut_off=False)
    return worker._replace(
        cut_off=False,
        recovered=True,
        forgotten=worker.forgotten | (worker.finished - server.seen),
        resent=worker.resent | {call for _, call, *_ in _owed(worker)},
        sending=_owed(worker),
    )


def _finished(state: State, index: int) -> State:
    worker = state.workers[index]
    assert worker.running is not None
    entry, call = worker.running
    finished = worker.finished | {call}
    given = entry, call, "ok", finished
    done = worker._replace(
        running=None,
        finished=finished,
        fresh=(*worker.fresh, given),
        sending=(*worker.sending, given),
    )
    return _with(state, index, done)._replace(ran=state.ran | {call})


def _owed(worker: Worker) -> tuple[Given, ...]:
    """Return the outcomes that are not acknowledged."""
    return (*worker.journal, *worker.fresh)


def _opened(state: State, index: int, rules: Rules, plan: Plan) -> Iterator[Step]:
    worker = state.workers[index]
    (entry, call), *rest = worker.hand
    opened = worker._replace(hand=tuple(rest))
    name = f"worker {worker.token}"
    if rules.certain and worker.token != state.server.token:
        yield f"{name} sees that it was replaced", _with(state, index, worker._replace(state="gone"))
        return
    if not (rules.ledger and call in worker.finished):
        journal = _owed(worker) if rules.journal else ()
        running = opened._replace(running=(entry, call), journal=journal, fresh=())
        yield f"{name} starts {call}", _started(state, index, running, plan)
        return
    # The answers tell which outcomes found no entry.
    if worker.sending or worker.answers or _owed(worker):
        return
    if call in worker.homeless and rules.homeless:
        what, opened = "ok", opened._replace(homeless=worker.homeless - {call})
    elif _runs_again(worker, call, rules, plan):
        again = opened._replace(forgotten=worker.forgotten - {call}, running=(entry, call))
        yield f"{name} starts {call} again", _started(state, index, again, plan)
        return
    else:
        what = "lost"
    if not rules.answers and what == "lost":
        what = ""
    given = entry, call, what, worker.finished
    yield (
        f"{name} answers {given}",
        _with(state, index, opened._replace(sending=(given,), fresh=(given,))),
    )


def _runs_again(worker: Worker, call: int, rules: Rules, plan: Plan) -> bool:
    known = call in worker.forgotten and (call not in worker.resent or not rules.resent)
    return rules.forgotten and bool(plan.retries) and known


def _started(state: State, index: int, worker: Worker, plan: Plan) -> State:
    assert worker.running is not None
    call = worker.running[1]
    wrong = state.wrong
    if state.starts[call - 1] and not plan.retries:
        wrong = f"I5: {call} starts twice"
    if call in state.settled:
        wrong = f"I5: {call} starts after its outcome was committed"
    done = state.ran | {given for given, _ in state.server.inbox}
    if any(before not in done and not state.caller.outcomes[before - 1] for before in range(1, call)):
        wrong = f"I2: {call} starts before one that was called before it"
    starts = tuple(count + (number == call) for number, count in enumerate(state.starts, start=1))
    return _with(state, index, worker)._replace(starts=starts, wrong=wrong)


def _deliveries(state: State, index: int, rules: Rules) -> Iterator[Step]:
    """Yield what the server does with commits of a worker, whatever has become of that."""
    worker = state.workers[index]
    name = f"worker {worker.token}"
    if worker.cut_off:
        return
    if worker.sending:
        given, *rest = worker.sending
        after, removed = _committed(state, worker, given, rules)
        if removed is None:
            yield f"{name} is fenced", _with(after, index, worker._replace(sending=(), state="gone"))
        else:
            answers = (*worker.answers, (given, removed)) if worker.state != "dead" else ()
            yield (
                f"server settles {given[1]}",
                _with(after, index, worker._replace(sending=tuple(rest), answers=answers)),
            )
        if worker.state == "dead":
            yield f"server drops what {name} sent", _with(state, index, worker._replace(sending=()))
    if worker.strays:
        given, *rest = worker.strays
        after, _ = _committed(state, worker, given, rules)
        yield f"server settles stray {given[1]}", _with(after, index, worker._replace(strays=tuple(rest)))
        yield f"server drops strays of {name}", _with(state, index, worker._replace(strays=()))


def _committed(state: State, worker: Worker, given: Given, rules: Rules) -> tuple[State, bool | None]:
    """Execute a commit; tell whether it removed the entry, or None when it was refused."""
    server = state.server
    entry, call, what, finished = given
    if rules.fence and worker.token != server.token:
        return state, None
    removed = (entry, call) in server.mailbox
    wrong = state.wrong
    if removed and worker.token != server.token:
        wrong = f"I3: incarnation {worker.token} settles {call}"
    if removed or not rules.once:
        server = server._replace(seen=finished if rules.ripe else worker.finished)
    if removed:
        inbox = (*server.inbox, (call, what)) if what else server.inbox
        server = server._replace(mailbox=tuple(one for one in server.mailbox if one[0] != entry), inbox=inbox)
    settled = state.settled | {call} if removed and what == "ok" else state.settled
    return state._replace(server=server, settled=settled, known=state.known | settled, wrong=wrong), removed


def _supervisor(state: State, index: int, rules: Rules, plan: Plan) -> Iterator[Step]:
    """Yield what is done about a worker that is dead, or counted as lost."""
    worker, server = state.workers[index], state.server
    unseen = worker.state == "stopped" and worker.token == server.token
    listed = bool(worker.sending or worker.strays)
    if worker.state == "dead" and worker.token != server.token:
        replaced = any(other.state in {"lives", "stopped"} for other in state.workers)
        after = _with(state, index, worker._replace(state="gone"))
        yield "supervisor sees another incarnation", after if replaced else _restarted(after)
    elif worker.state == "dead" and not listed:
        after = state
        for given in worker.journal if rules.journal else ():
            after, _ = _committed(after, worker, given, rules)
        started = {(entry, call) for entry, call, *_ in worker.fresh} | ({worker.running} if worker.running else set())
        after = _charged(after, started, rules, plan)
        yield "supervisor restarts it", _restarted(_with(after, index, worker._replace(state="gone")))
    elif unseen:
        delivered = {entry for entry in server.mailbox if entry[0] <= worker.read}
        yield "supervisor counts it as lost", _restarted(_charged(state, delivered, rules, plan))


def _charged(state: State, started: set[tuple[int, int]], rules: Rules, plan: Plan) -> State:
    for entry, call in sorted(started):
        server = state.server
        if (entry, call) not in server.mailbox or not rules.charges:
            continue
        charges = tuple(count + (number == call) for number, count in enumerate(server.charges, start=1))
        server = server._replace(charges=charges)
        if charges[call - 1] > plan.retries >= 0:
            server = server._replace(
                mailbox=tuple(one for one in server.mailbox if one[0] != entry),
                inbox=(*server.inbox, (call, "unavailable")),
                seen=server.seen | {call},
            )
        state = state._replace(server=server)
    return state


def _restarted(state: State) -> State:
    token = max(state.server.token, *(worker.token for worker in state.workers)) + 1
    server = state.server._replace(token=token)
    return state._replace(server=server, workers=(*state.workers, Worker(token, finished=server.seen)))


def _mishaps(state: State) -> Iterator[Step]:
    left, caller = state.left, state.caller
    if left.breaks and not caller.cut_off:
        again = [call for call in range(1, caller.made + 1) if call not in caller.acknowledged]
        broken = caller._replace(strays=(*caller.strays, *caller.sending), sending=tuple(again), answers=())
        yield "caller's connection breaks", state._replace(caller=broken, left=left._replace(breaks=left.breaks - 1))
    for index, worker in enumerate(state.workers):
        name = f"worker {worker.token}"
        if worker.state == "lives" and left.worker_breaks and not worker.cut_off:
            broken_ = worker._replace(strays=(*worker.strays, *worker.sending), sending=_owed(worker), answers=())
            less = left._replace(worker_breaks=left.worker_breaks - 1)
            yield f"{name}'s connection breaks", _with(state, index, broken_)._replace(left=less)
        if worker.state == "lives" and left.deaths:
            dead = worker._replace(state="dead", answers=(), hand=(), cut_off=False)
            yield f"{name} dies", _with(state, index, dead)._replace(left=left._replace(deaths=left.deaths - 1))
        if worker.state == "lives" and left.stops:
            stopped = worker._replace(state="stopped")
            yield f"{name} stops", _with(state, index, stopped)._replace(left=left._replace(stops=left.stops - 1))
        if worker.state == "stopped":
            yield f"{name} goes on", _with(state, index, worker._replace(state="lives"))
    if left.restarts:
        if state.copy is None:
            yield "server's data is copied", state._replace(copy=state.server)
        yield "server restarts", _back(state, state.server)
        if state.copy is not None and state.copy != state.server:
            yield "server restarts with the copy", _back(state, state.copy)


def _back(state: State, server: Server) -> State:
    """Restart the server: nothing that was on its way is executed."""
    caller = state.caller._replace(sending=(), answers=(), strays=(), cut_off=True)
    workers = tuple(
        worker._replace(sending=(), answers=(), strays=(), cut_off=worker.state in {"lives", "stopped"})
        for worker in state.workers
    )
    forgot = state.forgot or server != state.server
    # Its numbers come from the clock, which goes on.
    server = server._replace(last=state.server.last)
    kept = {call for call, what in server.inbox if what == "ok"}
    return state._replace(
        server=server,
        caller=caller,
        workers=workers,
        copy=None,
        left=state.left._replace(restarts=state.left.restarts - 1),
        settled=frozenset(kept) if forgot else state.settled,
        forgot=forgot,
    )


def _with(state: State, index: int, worker: Worker) -> State:
    workers = list(state.workers)
    workers[index] = worker
    return state._replace(workers=tuple(workers))
