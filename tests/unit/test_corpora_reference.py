"""Rows and content are what independent sources agree on; nobody is believed alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firstbyte.corpora.reference import Reading, Refusal, Witness, agree, hear

COLUMNS = ("a", "b")


def heard_from(decoder: str, rows: int = 6, a: str = "a1", b: str = "b1") -> Reading:
    return Reading(decoder, rows, {"a": a, "b": b})


def test_two_that_agree_are_believed() -> None:
    made = agree(COLUMNS, 6, [heard_from("one"), heard_from("two")])
    assert (made.rows, dict(made.digests), made.doubts) == (6, {"a": "a1", "b": "b1"}, ())
    assert made.settled


def test_nobody_is_believed_alone() -> None:
    made = agree(COLUMNS, 6, [heard_from("one")])
    assert (made.rows, dict(made.digests)) == (6, {"a": None, "b": None})
    assert not made.settled


def test_one_decoder_twice_is_one_witness() -> None:
    made = agree(COLUMNS, 6, [heard_from("one"), heard_from("one")])
    assert dict(made.digests) == {"a": None, "b": None}


def test_the_majority_is_believed_and_the_others_are_named() -> None:
    heard = [heard_from("one", a="x"), heard_from("two"), heard_from("three")]
    made = agree(COLUMNS, 6, heard)
    assert dict(made.digests) == {"a": "a1", "b": "b1"}
    assert made.doubts == ("column 'a': x by one; a1 by two, three",)


def test_a_tie_settles_nothing() -> None:
    heard = [heard_from(name, a=a) for name, a in (("1", "x"), ("2", "x"), ("3", "y"), ("4", "y"))]
    made = agree(COLUMNS, 6, heard)
    assert dict(made.digests) == {"a": None, "b": "b1"}
    assert made.doubts == ("column 'a': x by 1, 2; y by 3, 4",)


def test_a_reader_that_loses_rows_has_no_word_about_their_content() -> None:
    """An empty first page: one reader ends there, without an error."""
    lost = Reading("one", 0, {"a": "empty", "b": "empty"})
    made = agree(COLUMNS, 6, [lost, heard_from("two")])
    assert (made.rows, dict(made.digests)) == (6, {"a": None, "b": None})
    assert made.doubts == ("rows: 6 by the footer, two; 0 by one",)
    made = agree(COLUMNS, 6, [lost, heard_from("two"), heard_from("three")])
    assert dict(made.digests) == {"a": "a1", "b": "b1"}


def test_readers_can_outvote_a_footer() -> None:
    made = agree(COLUMNS, 0, [heard_from("one"), heard_from("two")])
    assert made.rows == 6
    assert made.doubts == ("rows: 0 by the footer; 6 by one, two",)


def test_rows_that_no_two_sources_give_are_not_known() -> None:
    made = agree(COLUMNS, 6, [heard_from("one", rows=5), heard_from("two", rows=4)])
    assert made.rows is None
    assert not made.settled


def test_no_rows_need_no_second_witness() -> None:
    made = agree(COLUMNS, 0, [Reading("one", 0, {"a": "e", "b": "e"}), Reading("two", 0, {})])
    assert (made.rows, dict(made.digests), made.doubts) == (0, {"a": "e", "b": "e"}, ())


class Bench:
    """Witnesses on call, and who was called."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def witness(self, decoder: str, *said: Reading) -> Witness:
        def speak(shards: Sequence[Path]) -> Sequence[Reading] | Refusal:
            self.called.append(decoder)
            return said or Refusal(decoder, "cannot")

        return speak


def test_no_more_are_heard_than_it_takes() -> None:
    bench = Bench()
    witnesses = [
        bench.witness("two", heard_from("two")),
        bench.witness("three", heard_from("three")),
    ]
    first = [heard_from("one")]
    references, refusals, decoders = hear([Path("x")], COLUMNS, [6], first, witnesses)
    assert bench.called == ["two"]
    assert (references[0].settled, refusals, decoders) == (True, [], ["one", "two"])


def test_all_are_heard_where_it_is_not_settled_and_refusals_are_kept() -> None:
    bench = Bench()
    witnesses = [
        bench.witness("two"),
        bench.witness("three", heard_from("three", a="x")),
        bench.witness("four", heard_from("four")),
    ]
    first = [heard_from("one")]
    references, refusals, decoders = hear([Path("x")], COLUMNS, [6], first, witnesses)
    assert bench.called == ["two", "three", "four"]
    assert refusals == [Refusal("two", "cannot")]
    assert decoders == ["one", "three", "four"]
    assert dict(references[0].digests) == {"a": "a1", "b": "b1"}
