"""Texts that several people write."""

import json
from typing import Any

import pytest
from cases import exchange, same
from clisonix.crdt import DocumentMerge
from clisonix.errors import EditRefused, InvalidResource, NotFound, UnknownVersion
from hypothesis import given, settings
from hypothesis import strategies as st

O, NOTE = "Observation/o1", "/note/0/text"


def observation(*notes: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"text": "course"},
        "note": [{"authorString": "ward", "text": note} for note in notes],
    }


def two(note: str = "Slept well.") -> tuple[DocumentMerge, DocumentMerge]:
    a = DocumentMerge("patient-123", author="Dr. A")
    a.apply_edit(observation(note))
    return a, a.fork(author="Dr. B")


def test_two_people_write_one_note() -> None:
    a, b = two()
    assert len(a.edit_text(O, NOTE, [(0, 0, "Calm. "), (12, 4, "badly")])) == 1
    b.edit_text(O, NOTE, [(10, 1, ", ate \U0001f600.")])
    exchange(a, b)
    same(a, b)
    assert a.text(O, NOTE) == "Calm. Slept badly, ate \U0001f600."
    assert a.get_state(O)["note"][0] == {"authorString": "ward", "text": a.text(O, NOTE)}
    assert a.conflicts() == []
    parts = [(row["characters"], row["author"]) for row in a.blame(O) if "characters" in row]
    assert parts == [
        ([0, 6], "Dr. A"),
        ([6, 12], "Dr. A"),
        ([12, 17], "Dr. A"),
        ([17, 25], "Dr. B"),
    ]
    assert DocumentMerge.load(a.save()).text(O, NOTE) == a.text(O, NOTE)


def test_an_old_version_is_read_and_typed_in() -> None:
    a, _ = two()
    heads, version = a.heads(), a.version
    (change,) = a.edit_text(O, NOTE, [(0, 5, "Lay")])
    assert a.text(O, NOTE, heads) == a.text(O, NOTE, version) == "Slept well."
    a.edit_text(O, NOTE, [(11, 0, " Ate.")], base=heads)
    assert a.text(O, NOTE) == "Lay well. Ate."
    a.undo(change)
    assert a.text(O, NOTE) == "Slept well. Ate."
    with pytest.raises(UnknownVersion):
        a.text(O, NOTE, ["0" * 64])


def test_a_whole_resource_types_too_or_overwrites() -> None:
    a, b = two("Slept well, no pain.")
    c = b.fork(author="Dr. C")
    read = b.get_state(O)
    a.edit_text(O, NOTE, [(0, 0, "Calm. ")])
    read["note"][0]["text"] = "Slept well, no pain. Ate."
    b.apply_edit(read)
    exchange(a, b)
    assert a.text(O, NOTE) == "Calm. Slept well, no pain. Ate."
    assert a.conflicts() == []
    c.apply_edit(observation("Fell."), base=c.heads())
    exchange(a, c)
    assert [conflict["kind"] for conflict in a.conflicts()] == ["value"]


def test_words_that_nobody_has_read_are_a_conflict() -> None:
    a, b = two("Take 5 mg.")
    a.edit_text(O, NOTE, [(5, 1, "10")])
    b.edit_text(O, NOTE, [(5, 1, "50")])
    exchange(a, b)
    (conflict,) = a.conflicts()
    assert conflict["kind"] == "text"
    texts = {side["value"]["text"] for side in conflict["values"]}
    assert texts == {"Take 10 mg.", "Take 50 mg."}
    a.edit_text(O, NOTE, [(5, 4, "10")])
    exchange(a, b)
    assert b.conflicts() == []


def test_what_is_refused() -> None:
    a, _ = two()
    before = a.save()
    with pytest.raises(EditRefused):
        a.edit_text(O, NOTE, [(12, 0, "x")])
    with pytest.raises(EditRefused):
        a.edit_text(O, "/status", [(0, 0, "x")])
    with pytest.raises(NotFound):
        a.edit_text(O, "/note/1/text", [(0, 0, "x")])
    with pytest.raises(NotFound):
        a.text("Observation/o2", NOTE)
    with pytest.raises(InvalidResource):
        a.edit_text(O, NOTE, [(0, 11, "")])
    for wrong in [[(-1, 0, "x")], [(0, 0)], [(0, 0, b"x")]]:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            a.edit_text(O, NOTE, wrong)  # type: ignore[arg-type]
    assert a.edit_text(O, NOTE, []) == []
    assert json.loads(a.get_state_json(O)) == DocumentMerge.load(before).get_state(O)


STEP = st.one_of(
    st.tuples(
        st.just("type"),
        st.integers(0, 2),
        st.floats(0, 1),
        st.integers(0, 4),
        st.text("ab \n\"\U0001f600", max_size=4),
    ),
    st.tuples(st.just("pull"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("load"), st.integers(0, 2)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_what_several_type_ends_equal(steps: list[Any]) -> None:
    a, b = two("one two three")
    sites = [a, b, a.fork(author="Dr. C")]
    for step in steps:
        if step[0] == "type":
            _, at, where, deleted, inserted = step
            text = sites[at].text(O, NOTE)
            position = int(where * len(text))
            deleted = min(deleted, len(text) - position)
            expected = text[:position] + inserted + text[position + deleted :]
            if expected:
                sites[at].edit_text(O, NOTE, [(position, deleted, inserted)])
                assert sites[at].text(O, NOTE) == expected
        elif step[0] == "pull":
            sites[step[1]].apply_edit(sites[step[2]].changes_since(sites[step[1]].heads()))
        else:
            sites[step[1]] = DocumentMerge.load(sites[step[1]].save())
    exchange(*sites)
    same(*sites)
