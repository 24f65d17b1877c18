"""I1, I4: settling removes calls and gives their outcomes at once, once, and only by the current incarnation."""

from collections.abc import Iterator

import pytest
from tests.support.stage import Stage

from callboard_broker.envelope import Outcome, head_of, open_outcomes
from callboard_broker.operations.calls import CommitWriter
from callboard_broker.scripts import script
from callboard_broker.wire import ReplyError, entries, integer, text

ACTOR, TOKEN, CALLER = "a" * 24, "the-token", "the-caller"


class Bench:
    """An actor and a caller that exist in keys only."""

    def __init__(self, stage: Stage) -> None:
        self._wire, self._broker = stage.wire, stage.broker
        keys = stage.broker.keys
        self.actor, self.mailbox, self.inbox = keys.actor(ACTOR), keys.mailbox(ACTOR), keys.inbox(CALLER)
        self.keys = [self.actor, self.mailbox, keys.sealed(ACTOR), keys.seen(ACTOR), self.inbox]
        self._signer = stage.broker.signer("outcome", CALLER)
        self._writer = CommitWriter(keys, ACTOR, TOKEN, CALLER, self._signer)
        self._wire.call(*script("commit").load())
        self._wire.call("HSET", self.actor, "token", TOKEN)
        self._wire.call("XADD", self.inbox, "0-1", "id", "-")

    def call(self) -> bytes:
        """Post a call and return its entry."""
        return text(self._wire.call("XADD", self.mailbox, "*", "call", "it", "body", "its")).encode()

    def commit(self, answers: list[tuple[bytes, bytes]], finished: bytes = b"9") -> object:
        """Settle calls, each with a body, and return what the script says."""
        outcomes = [(entry, Outcome(b"me/" + entry, b"ok", b"", body)) for entry, body in answers]
        told = [(entry, head_of(outcome), outcome.body) for entry, outcome in outcomes]
        self._wire.send_packed(self._writer.command(finished, told))
        return self._wire.receive()

    def given(self) -> list[list[bytes]]:
        """Return the bodies in the inbox, entry by entry."""
        return [
            [
                outcome.body
                for outcome in open_outcomes(self._signer, [part for part in flat or () if isinstance(part, bytes)])
            ]
            for _, flat in entries(self._wire.call("XRANGE", self.inbox, "0-2", "+"))
        ]

    def left(self) -> int:
        """Return how many calls are outstanding."""
        return integer(self._wire.call("XLEN", self.mailbox)) + integer(self._wire.call("XLEN", self.keys[2]))

    def seal(self) -> None:
        """Have the mailbox renamed, as at an actor's end."""
        self._wire.call("RENAME", self.mailbox, self.keys[2])

    def remove(self, entry: bytes) -> None:
        """Remove a call, as its cancellation does."""
        self._wire.call("XDEL", self.mailbox, entry)

    def stored(self) -> object:
        """Return what the ledger says of the caller."""
        return self._wire.call("HGET", self.keys[3], CALLER)

    def close(self) -> None:
        """Remove every key."""
        self._wire.call("DEL", *self.keys)


@pytest.fixture
def bench(on_stage: Stage) -> Iterator[Bench]:
    """Lend an actor and a caller."""
    made = Bench(on_stage)
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 2, 200])
def test_i1_a_batch_is_settled_in_one_entry(bench: Bench, count: int) -> None:
    """In the order of the commands, whatever their number."""
    answers = [(bench.call(), b"%d" % number) for number in range(count)]
    assert bench.commit(answers, b"%d" % count) == count
    assert bench.given() == [[body for _, body in answers]]
    assert (bench.left(), bench.stored()) == (0, b"%d" % count)


def test_i4_a_commit_that_is_sent_again_gives_nothing(bench: Bench) -> None:
    """Its reply may have been lost."""
    answers = [(bench.call(), b"one"), (bench.call(), b"two")]
    assert bench.commit(answers) == len(answers)
    assert bench.commit(answers) == 0
    assert bench.commit(answers[:1]) == 0
    assert bench.given() == [[b"one", b"two"]]


def test_i4_an_older_commit_that_is_sent_again_takes_nothing_back(bench: Bench) -> None:
    """As from the journal of a dead worker, whose last commit was executed but does not stand there."""
    first, second = [(bench.call(), b"one")], [(bench.call(), b"two")]
    bench.commit(first, b"1")
    bench.commit(second, b"2")
    assert bench.commit(first, b"1") == 0
    assert bench.stored() == b"2"


def test_i1_a_ledger_that_somebody_broke_settles_nothing(bench: Bench, on_stage: Stage) -> None:
    """The worker puts it right, and sends the same again."""
    answers = [(bench.call(), b"one")]
    on_stage.wire.call("SET", bench.keys[3], "no hash")
    assert str(bench.commit(answers)).startswith("WRONGTYPE")
    assert (bench.given(), bench.left()) == ([], 1)
    on_stage.wire.call("DEL", bench.keys[3])
    assert bench.commit(answers) == 1
    assert (bench.given(), bench.left()) == ([[b"one"]], 0)


def test_i1_calls_are_settled_wherever_their_mailbox_is(bench: Bench) -> None:
    """It is renamed when the actor begins to end, perhaps since the worker looked."""
    answers = [(bench.call(), b"one"), (bench.call(), b"two")]
    bench.seal()
    assert bench.commit(answers) == len(answers)
    assert (bench.given(), bench.left()) == ([[b"one", b"two"]], 0)


def test_i1_the_others_of_a_batch_are_settled_when_one_was_cancelled(bench: Bench) -> None:
    """The caller, who has the outcome of the cancelled one before, drops the second."""
    answers = [(bench.call(), b"one"), (bench.call(), b"two"), (bench.call(), b"three")]
    bench.remove(answers[1][0])
    assert bench.commit(answers) == len(answers) - 1
    assert bench.given() == [[b"one", b"two", b"three"]]
    assert bench.left() == 0


def test_i3_an_older_incarnation_settles_nothing(bench: Bench, on_stage: Stage) -> None:
    """Not even the ledger changes."""
    answers = [(bench.call(), b"one")]
    on_stage.wire.call("HSET", bench.actor, "token", "a-newer-one")
    refused = bench.commit(answers)
    assert isinstance(refused, ReplyError)
    assert str(refused).startswith("FENCED ")
    assert (bench.given(), bench.left(), bench.stored()) == ([], 1, None)


def test_i1_an_inbox_that_somebody_broke_does_not_stop_the_batch(bench: Bench, on_stage: Stage) -> None:
    """Nobody can be told, and the actor goes on."""
    answers = [(bench.call(), b"one")]
    on_stage.wire.call("DEL", bench.inbox)
    on_stage.wire.call("SET", bench.inbox, "no stream")
    assert bench.commit(answers) == 1
    assert bench.left() == 0


@pytest.mark.parametrize("name", ["yield", "yield_task"])
def test_i6_an_item_that_a_broken_inbox_does_not_take_is_let_go(on_stage: Stage, name: str) -> None:
    """What it carries is released, as for a caller that is gone, and its giver is not asked to send it again."""
    wire, giving = on_stage.wire, script(name)
    keys = {key: f"cb:{{0}}:of-the-test:{key}" for key in giving.keys}
    values = {
        "token": TOKEN,
        "worker": "giver",
        "entry": "1-1",
        "tokens": "a:carried",
        "outcome": "head",
        "body": "body",
    }
    values["item"] = values["id"] = "me/1#1"
    wire.call("SET", keys["inbox"], "nonsense")
    giver = keys["worker" if name == "yield" else "worker_inbox"]
    wire.call("XADD", giver, "*", "it", "lives")
    if name == "yield":
        wire.call("HSET", keys["record"], "token", TOKEN)
        wire.call("XADD", keys["mailbox"], "1-1", "call", "it")
    else:
        wire.call("HSET", keys["task"], "worker", "giver")
    command = giving.eval([keys[key].encode() for key in giving.keys], [values[each] for each in giving.arguments])
    assert wire.call(*command) == (b"me/1#1" if name == "yield" else 0)
    assert [flat for _, flat in entries(wire.call("XRANGE", keys["outbox"], "-", "+"))] == [
        [b"token", b"r:me/1#1", b"targets", b"a:carried"]
    ]
    wire.call("DEL", *keys.values())
