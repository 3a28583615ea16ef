"""The worker's protocol: what is encoded comes back, and nothing else is taken for an event."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbyte.worker import protocol
from firstbyte.worker.protocol import ProtocolError, decode, encode

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=9)
wholes = st.integers(0, protocol.LARGEST - 1)
figures = st.floats(-1e18, 1e18) | st.integers(-(10**18), 10**18)
EVENTS = st.one_of(
    st.builds(protocol.Started, wholes),
    st.builds(
        protocol.Sampled,
        st.dictionaries(texts.map(lambda name: f"{name}_bytes"), figures, max_size=3),
        st.dictionaries(texts, st.lists(figures, max_size=3), max_size=2),
        wholes,
        wholes,
    ),
    st.builds(protocol.StoodStill, st.sampled_from(protocol.PLACES)),
    st.builds(protocol.Counted, wholes, wholes),
    st.builds(protocol.FirstValue, wholes, st.none() | texts | st.integers()),
    st.builds(protocol.Digested, wholes, wholes, st.dictionaries(texts, texts, max_size=2)),
    st.builds(protocol.Digested, wholes, st.just(0), st.none()),
    st.builds(protocol.Observed, st.lists(st.integers(1, 2**22), max_size=3)),
    st.builds(protocol.Prepared, st.lists(texts, max_size=3)),
    st.builds(protocol.Versions, st.dictionaries(texts, texts, max_size=3)),
    st.builds(protocol.Failed, st.sampled_from(protocol.KINDS_OF_FAILURE), texts),
    st.builds(protocol.Done),
)


@given(EVENTS)
def test_an_event_comes_back_from_its_line(event: protocol.Event) -> None:
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == event


def test_half_a_character_in_a_reason_becomes_a_question_mark() -> None:
    back = decode(encode(protocol.Failed("error", "in the file \udcff.parquet")))
    assert back == protocol.Failed("error", "in the file ?.parquet")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["event", "shard"]), inner)
    ),
    max_leaves=6,
)
NAMES = sorted(protocol._EVENTS)
FIELDS = sorted({name for kind in protocol._EVENTS.values() for name in kind.__slots__})


@given(
    st.binary(max_size=30)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda name, rest: json.dumps({"event": name, **rest}).encode(),
        st.sampled_from(NAMES),
        st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=5),
    )
)
def test_a_line_is_an_event_or_a_protocol_error(line: bytes) -> None:
    event = None
    with contextlib.suppress(ProtocolError):
        event = decode(line)
    assert event is None or decode(encode(event)) == event


SAMPLE: dict[str, Any] = {
    "event": "sample",
    "values": {"wall_ns": 1},
    "series": {},
    "begin_ns": 1,
    "end_ns": 2,
}


def sample(**changes: Any) -> bytes:
    return json.dumps(SAMPLE | changes).encode()


FORGED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"this is no JSON", "it is no JSON"),
    "no text": (b"\xff\xfe", "it is no text"),
    "half a character": (b'{"event": "versions", "versions": {"a": "\\udc00"}}', "it is no text"),
    "a list": (b"[]", "it is no event"),
    "no event": (b'{"pid": 1}', "it is no event"),
    "an unknown event": (b'{"event": "dnoe"}', "it is no event"),
    "an event that is a list": (b'{"event": []}', "it is no event"),
    "deep": (b"[" * 100_000, "it is nested too deeply"),
    "a field less": (b'{"event": "rows", "shard": 0}', "rows without rows"),
    "a field more": (b'{"event": "done", "why": 1}', "done with 'why'"),
    "rows as text": (b'{"event": "rows", "shard": 0, "rows": "3"}', "rows is '3', not a whole"),
    "rows as truth": (b'{"event": "rows", "shard": 0, "rows": true}', "rows is True, not a whole"),
    "rows below zero": (b'{"event": "rows", "shard": 0, "rows": -1}', "rows is -1, not a whole"),
    "a huge shard": (b'{"event": "rows", "shard": 1%s, "rows": 3}' % (b"0" * 99), "shard is 1000"),
    "endless digits": (b'{"event": "rows", "shard": 1%s}' % (b"0" * 9999), "it is no JSON"),
    "versions as text": (b'{"event": "versions", "versions": "1"}', "not a mapping"),
    "a list of versions": (b'{"event": "versions", "versions": ["1"]}', "not a mapping"),
    "versions of null": (b'{"event": "versions", "versions": null}', "None, not a mapping"),
    "a version that is null": (
        b'{"event": "versions", "versions": {"a": null}}',
        "versions: 'a' is None, not a text",
    ),
    "a version that is a number": (
        b'{"event": "versions", "versions": {"a": 1}}',
        "versions: 'a' is 1, not a text",
    ),
    "digests of null": (
        b'{"event": "digest", "shard": 0, "rows": 3, "columns": null, "asked": null}',
        "columns is null, though there were 3 rows",
    ),
    "a digest that is a number": (
        b'{"event": "digest", "shard": 0, "rows": 3, "columns": {"a": 1}, "asked": null}',
        "columns: 'a' is 1, not a text",
    ),
    "a reason that is a list": (
        b'{"event": "failed", "kind": "error", "reason": []}',
        "reason is [], not a text",
    ),
    "an unknown failure": (
        b'{"event": "failed", "kind": "sad", "reason": ""}',
        "kind is 'sad', not one of unsupported, ",
    ),
    "a path as a process": (b'{"event": "observe", "pids": ["../../etc"]}', "not a whole number"),
    "a path of processes": (b'{"event": "observe", "pids": "12"}', "pids is '12', not a list"),
    "too many processes": (
        json.dumps({"event": "observe", "pids": list(range(1, 999))}).encode(),
        "pids: 998 processes, at most 256",
    ),
    "NaN": (sample(values={"wall_ns": float("nan")}), "NaN is no number"),
    "infinity": (sample(series={"live_bytes": [1, float("inf")]}), "Infinity is no number"),
    "an overflow": (sample().replace(b'"wall_ns": 1', b'"wall_ns": 1e999'), "wall_ns is inf"),
    "a huge figure": (sample(values={"wall_ns": 10**30}), "wall_ns is 1000"),
    "a figure as text": (sample(values={"wall_ns": "1"}), "wall_ns is '1', not a finite number"),
    "a time below zero": (sample(values={"wall_ns": -1}), "wall_ns is -1, which is below 0"),
    "a rate below zero": (sample(values={"rows_per_s": -0.5}), "rows_per_s is -0.5, which is"),
    "values as a list": (sample(values=[1]), "values is [1], not a mapping"),
    "a series as a number": (sample(series={"live_bytes": 1}), "live_bytes is 1, not a list"),
    "standing nowhere": (b'{"event": "standing", "at": "x"}', "at is 'x', not one of imported"),
    "a stamp as text": (sample(begin_ns="now"), "begin_ns is 'now', not a whole number"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_wrong_with_a_line_is_said(kind: str) -> None:
    line, problem = FORGED[kind]
    with pytest.raises(ProtocolError) as caught:
        decode(line)
    assert problem in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_gain_can_be_negative() -> None:
    event = decode(sample(values={"left_live_bytes": -4096}))
    assert isinstance(event, protocol.Sampled)
    assert event.values == {"left_live_bytes": -4096}
