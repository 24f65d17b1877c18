"""Envelopes: what is signed is what is read, and nothing else is."""

import time
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callboard_broker import envelope
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.envelope import CallWriter, Outcome, Signer
from callboard_broker.errors import EnvelopeError, ForgedEntryError, MalformedEntryError, StaleEntryError
from callboard_broker.packing import pack, unpack

KEY = ClusterKey(bytes(range(32)))
NOW = 1_760_000_000_000
ENTRY = b"%d-0" % NOW

bodies = st.binary(max_size=64) | st.binary(min_size=envelope.LARGE - 1, max_size=envelope.LARGE + 1)
# Names of methods have no spaces.
words = st.text(st.characters(exclude_characters=" ", codec="utf-8"), min_size=1, max_size=20)


def signer(kind: str = "call", target: str = "actor") -> Signer:
    """Make the signer of the tests' key."""
    return Signer(KEY, kind, "cb", target)


def a_call(body: bytes = b"body", seq: int = 7) -> list[bytes]:
    """Make the fields of a signed call."""
    return list(envelope.call_fields(signer(), b"1.kid", b"me/1", seq, b"add", -1, NOW, b"", body))


@given(body=bodies, method=words, seq=st.integers(0, 2**60), retries=st.integers(-1, 2**60))
def test_a_call_comes_back_as_it_was_signed(body: bytes, method: str, seq: int, retries: int) -> None:
    """Whatever is in a call, whoever reads it finds that."""
    fields = envelope.call_fields(signer(), b"1.kid", b"me/1", seq, method.encode(), retries, NOW, b"{}", body)
    call = envelope.open_call(signer(), ENTRY, list(fields))
    assert (call.id, call.caller, call.seq, call.method, call.retries, call.opts, call.body) == (
        b"me/1", "me", seq, method, retries, b"{}", body,
    )  # fmt: skip


@given(body=bodies, method=words.map(str.encode), percent=st.sampled_from([b"cb:%d:box", b"box"]))
def test_the_fast_writer_writes_the_same_entry(body: bytes, method: bytes, percent: bytes) -> None:
    """A plain call is the same whichever way it is written."""
    written = CallWriter(signer(), b"1.k%d", percent).write(b"me/1", 3, method, 0, NOW, body)
    fields = envelope.call_fields(signer(), b"1.k%d", b"me/1", 3, method, 0, NOW, b"", body)
    assert written == pack(("XADD", percent, "NOMKSTREAM", "*", *fields))


@given(body=bodies, opts=st.sampled_from([b"", b'{"carries": true}', b'{"group": "a b"}']), before=st.integers(1, NOW))
def test_a_call_that_is_posted_again_is_the_same_but_for_its_moment(body: bytes, opts: bytes, before: int) -> None:
    """I1: so one that has waited for long is not refused as a replay."""
    fields = envelope.call_fields(signer(), b"1.kid", b"me/1", 3, b"add", -1, before, opts, body)
    again = envelope.renewed(signer(), unpack(pack(("XADD", "box", "NOMKSTREAM", "*", *fields))), NOW)
    assert again[:4] == [b"XADD", b"box", b"NOMKSTREAM", b"*"]
    assert tuple(again[4:]) == envelope.call_fields(signer(), b"1.kid", b"me/1", 3, b"add", -1, NOW, opts, body)


def test_what_is_not_ours_is_not_posted_again() -> None:
    """Nothing is signed that we have not signed before."""
    with pytest.raises(ForgedEntryError):
        envelope.renewed(signer(target="another"), [b"XADD", b"box", b"*", *a_call()], NOW)


@given(data=st.data())
def test_a_changed_call_is_refused(data: st.DataObject) -> None:
    """Whatever byte of whatever field is changed, the MAC does not fit any more."""
    fields = a_call()
    place = data.draw(st.sampled_from(range(1, len(fields), 2)))
    other = data.draw(st.binary(max_size=40).filter(lambda value: value != fields[place]))
    changed = [*fields[:place], other, *fields[place + 1 :]]
    with pytest.raises(EnvelopeError):
        envelope.open_call(signer(), ENTRY, changed)


@given(fields=st.lists(st.binary(max_size=20), max_size=24))
@example(fields=[b"call", b"", b"body"])
@example(fields=[b"call", b"", b"body", b"", b"more", b""])
def test_what_is_no_call_is_refused(fields: list[bytes]) -> None:
    """Fields of other names, number or order are refused by name."""
    with pytest.raises(MalformedEntryError):
        envelope.open_call(signer(), ENTRY, fields)


@given(data=st.data())
def test_bytes_cannot_be_moved_between_head_and_body(data: st.DataObject) -> None:
    """The same bytes cut at another place are another call."""
    mine = signer()
    head, body = data.draw(st.tuples(st.binary(min_size=1, max_size=9), st.binary(min_size=1, max_size=9)))
    sealed = mine.seal(head, body)
    mac = sealed.removeprefix(head)
    moved = data.draw(st.integers(1, len(body)))
    assert mine.unseal(sealed, body) == head
    assert mine.unseal(head + body[:moved] + mac, body[moved:]) is None


@pytest.mark.parametrize(
    "other",
    [
        Signer(KEY, "outcome", "cb", "actor"),
        Signer(KEY, "call", "other", "actor"),
        Signer(KEY, "call", "cb", "another"),
        Signer(ClusterKey(bytes(32)), "call", "cb", "actor"),
    ],
    ids=["kind", "prefix", "target", "key"],
)
def test_a_call_is_only_for_whom_it_was_signed(other: Signer) -> None:
    """Another kind, callboard, actor or key refuses it."""
    with pytest.raises(ForgedEntryError):
        envelope.open_call(other, ENTRY, a_call())


def test_an_old_call_is_a_replay() -> None:
    """What was signed over an hour before it was posted is refused."""
    late = b"%d-0" % (NOW + envelope.STALE_MS + 1)
    with pytest.raises(StaleEntryError) as refused:
        envelope.open_call(signer(), late, a_call())
    assert refused.value.call.entry == late
    ending = envelope.call_fields(signer(), b"1.kid", b"me/7", 3, b"__ray_terminate__", 0, NOW, b"", b"")
    assert envelope.open_call(signer(), late, list(ending)).method == envelope.TERMINATE


@pytest.mark.parametrize("jump", [0, 10 * envelope.STALE_MS])
def test_a_call_that_was_just_signed_is_no_replay(monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    """Also when the id of its entry is ahead, as those are that follow upon a server's clock that was, and ours is."""
    right, just_now = time.time_ns, int(time.time() * 1000)
    monkeypatch.setattr(time, "time_ns", lambda: right() + jump * 1_000_000)
    ahead = b"%d-0" % (just_now + 2 * envelope.STALE_MS)
    fields = envelope.call_fields(signer(), b"1.kid", b"me/1", 7, b"add", 0, just_now, b"", b"")
    assert envelope.open_call(signer(), ahead, list(fields)).entry == ahead


@given(body=bodies, status=st.sampled_from([b"ok", b"error", b"died"]), tokens=st.sampled_from([b"", b"a:x o:y"]))
def test_an_outcome_comes_back_as_it_was_signed(body: bytes, status: bytes, tokens: bytes) -> None:
    """And one whose status was changed does not come back at all."""
    mine = signer("outcome", "me")
    outcome = Outcome(b"me/1", status, tokens, body)
    sealed = envelope.seal_outcome(mine, outcome)
    assert envelope.open_outcomes(mine, [sealed, body]) == [outcome]
    with pytest.raises(ForgedEntryError):
        envelope.open_outcomes(mine, [sealed.replace(status, b"other"), body])
    with pytest.raises(ForgedEntryError):
        envelope.open_outcomes(mine, [sealed, body + b"."])


@given(contents=st.lists(bodies, min_size=1, max_size=4), data=st.data())
def test_outcomes_come_back_together_as_they_were_signed(contents: list[bytes], data: st.DataObject) -> None:
    """And none of them does when one was changed, left out, added, or moved."""
    mine = signer("outcome", "me")
    made = [Outcome(b"me/%d" % number, b"ok", b"", body) for number, body in enumerate(contents)]
    parts = [(envelope.head_of(outcome), outcome.body) for outcome in made]
    entry = [(mine.seal_together(parts), contents[0]), *parts[1:]]
    assert envelope.open_outcomes(mine, [*chain.from_iterable(entry)]) == made
    assert (mine.seal(*parts[0]) == entry[0][0]) == (len(made) == 1)

    at = data.draw(st.integers(0, len(entry) - 1))
    head, body = entry[at]
    changes = [
        [*entry[:at], (head, body + b"."), *entry[at + 1 :]],
        [*entry[:at], (head + b"x", body), *entry[at + 1 :]],
        [*entry, (b"me/9 ok", b"")],
        [(entry[0][0], b""), (b"me/9 ok", contents[0]), *entry[1:]],
    ]
    if len(entry) > 1:
        changes += [entry[:-1], [entry[0], *entry[2:], entry[1]] if len(entry) > 2 else entry[:1]]
    for changed in changes:
        if changed != entry:
            with pytest.raises(ForgedEntryError):
                envelope.open_outcomes(mine, [*chain.from_iterable(changed)])


@given(values=st.lists(st.binary(max_size=10), min_size=2, max_size=2), body=bodies)
def test_a_signed_hash_comes_back(values: list[bytes], body: bytes) -> None:
    """And refuses to, without one of its fields."""
    names = ("first", "second")
    flat = envelope.seal_fields(signer("class"), names, values, body)
    stored = {
        str(name): value if isinstance(value, bytes) else value.encode()
        for name, value in zip(flat[::2], flat[1::2], strict=True)
    }
    assert envelope.open_fields(signer("class"), names, stored, "it") == body
    del stored["second"]
    with pytest.raises(MalformedEntryError):
        envelope.open_fields(signer("class"), names, stored, "it")
