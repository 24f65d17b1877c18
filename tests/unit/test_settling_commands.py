"""Commands that settle calls, read again: which outcomes are in them."""

from hypothesis import given
from hypothesis import strategies as st

from callboard_broker.clusterkey import ClusterKey
from callboard_broker.envelope import Outcome, Signer, head_of, seal_outcome
from callboard_broker.keys import Keyspace
from callboard_broker.operations.calls import BATCH, CommitWriter, Settlement, cancel, outcomes_in, sealed_note
from callboard_broker.packing import pack

KEYS = Keyspace("cb")
SIGNER = Signer(ClusterKey(bytes(32)), "outcome", "cb", "me")
WRITER = CommitWriter(KEYS, "actor", "token", "me", SIGNER)


def outcomes(bodies: list[bytes], tokens: bytes = b"") -> list[tuple[Outcome, bytes]]:
    """Make an outcome of each body, and its sealed head."""
    made = [Outcome(b"me/%d" % number, b"ok", tokens, body) for number, body in enumerate(bodies)]
    return [(outcome, seal_outcome(SIGNER, outcome)) for outcome in made]


@given(bodies=st.lists(st.binary(max_size=9), min_size=1, max_size=BATCH))
def test_i1_a_commit_tells_its_outcomes(bodies: list[bytes]) -> None:
    """Of one call, and of many."""
    made = [outcome for outcome, _ in outcomes(bodies)]
    packed = WRITER.command(b"9", [(b"1-%d" % at, head_of(each), each.body) for at, each in enumerate(made)])
    assert outcomes_in(packed) == {each.call: (head_of(each), each.body) for each in made}


@given(body=st.binary(max_size=9))
def test_i2_a_note_becomes_the_commit_that_it_stands_for(body: bytes) -> None:
    """Its MAC is added by whoever sends it; commands that have theirs are sent as they are."""
    outcome, _ = outcomes([body])[0]
    told = b"1-1", head_of(outcome), body
    commit = WRITER.alone(b"9", told)
    clients = []

    def signer(client: str) -> Signer:
        clients.append(client)
        return SIGNER

    assert sealed_note(WRITER.note(b"9", told), signer) == commit
    assert clients == ["me"]
    settlement = Settlement(KEYS, "actor", "token")
    settlement.discard(b"2-1", b"me/x")
    packed = pack(settlement.command(loaded=True))
    assert sealed_note(packed, signer) == packed


@given(bodies=st.lists(st.binary(max_size=9), max_size=9), seen=st.booleans(), tokens=st.sampled_from([b"", b"a:1"]))
def test_i1_a_settlement_tells_the_outcomes_that_carry_nothing(
    bodies: list[bytes], tokens: bytes, *, seen: bool
) -> None:
    """What is discarded has none; what carries handles has been released with its tokens."""
    made = outcomes(bodies, tokens)
    settlement = Settlement(KEYS, "actor", "token")
    for outcome, sealed in made:
        settlement.add(b"1-1", "me", outcome, sealed)
    settlement.discard(b"2-1", b"me/x")
    if seen:
        settlement.seen("me", b"9")
    expected = {} if tokens else {outcome.call: (head_of(outcome), outcome.body) for outcome, _ in made}
    assert outcomes_in(pack(settlement.command(loaded=True))) == expected


def test_other_commands_have_none() -> None:
    """What callers send, and what brings its text along."""
    outcome, sealed = outcomes([b"body"])[0]
    taken_back = cancel(KEYS, "me", "actor", b"1-1", 1, outcome=outcome, sealed=sealed, recursive=True)
    assert outcomes_in(pack(taken_back)) == outcomes_in(pack(("PING",))) == {}
