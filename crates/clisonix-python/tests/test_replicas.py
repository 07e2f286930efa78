"""Replicas: exchange, versions, conflicts, saving, threads, and random edits that end equal."""

import contextlib
import copy
import os
import pickle
import threading
from typing import Any

import pytest
from cases import OBSERVATION, PATIENT, change, exchange, same
from clisonix.crdt import Conflict, DocumentMerge
from clisonix.errors import DecodeError, InvalidResource, NotFound, OtherDocument
from hypothesis import given, settings
from hypothesis import strategies as st

P = "Patient/p1"


def merged() -> DocumentMerge:
    """Two authors who disagree on one member."""
    a = DocumentMerge("patient-123", author="Dr. A")
    a.apply_edit(PATIENT)
    b = a.fork(author="Dr. B")
    change(P, gender="male")(a)
    change(P, gender="other")(b)
    exchange(a, b)
    same(a, b)
    return a


def test_bytes_are_exchanged_in_any_order() -> None:
    a = DocumentMerge("d")
    a.apply_edit(PATIENT)
    first = a.changes_since([])
    heads = a.heads()
    change(P, gender="male")(a)
    second = a.changes_since(heads)
    b = DocumentMerge("d")
    assert b.apply_edit(second) == [] and b.waiting == 1
    assert b.apply_edit(first) == [change["change"] for change in a.history()]
    assert b.waiting == 0
    assert b.apply_edit(a.save()) == []
    same(a, b)


def test_bytes_that_are_wrong() -> None:
    document = DocumentMerge("d")
    for wrong in [b"", b"{}", b"\0" * 64]:
        with pytest.raises(DecodeError):
            document.apply_edit(wrong)
        with pytest.raises(DecodeError):
            DocumentMerge.load(wrong)
    other = DocumentMerge("e")
    other.apply_edit(PATIENT)
    with pytest.raises(OtherDocument):
        document.apply_edit(other.save())


def test_a_conflict_has_its_shape_and_is_settled() -> None:
    document = merged()
    (conflict,) = document.conflicts()
    assert set(conflict) == set(Conflict.__annotations__)
    assert (conflict["entry"], conflict["path"]) == (P, "Patient.gender")
    # Both may have written in the same millisecond: then either is the latest.
    sides = {side["author"]: side["value"] for side in conflict["values"]}
    assert sides == {"Dr. A": {"gender": "male"}, "Dr. B": {"gender": "other"}}
    assert conflict["shown"] == {"gender": document.get_state(P)["gender"]}
    stale = document.fork()
    document.resolve(conflict["id"], sides["Dr. A"], author="Dr. C")
    assert document.conflicts() == [] and document.get_state(P)["gender"] == "male"
    assert document.history()[-1]["author"] == "Dr. C"
    with pytest.raises(NotFound):
        document.resolve(conflict, None)
    stale.apply_edit({**PATIENT, "gender": "unknown"})
    with pytest.raises(NotFound):
        stale.resolve(conflict, None)


def test_a_conflict_is_not_settled_by_something_invalid() -> None:
    document = merged()
    (conflict,) = document.conflicts()
    before = document.save()
    with pytest.raises(InvalidResource):
        document.resolve(conflict, {"gender": "x"})
    with pytest.raises(TypeError):
        document.resolve(conflict, True)
    with pytest.raises(NotFound):
        document.resolve("nonsense", None)
    assert document.save() == before
    document.resolve(conflict, None)
    assert "gender" not in document.get_state(P)


def test_versions_history_and_blame() -> None:
    document = DocumentMerge("d", author="Dr. A")
    document.apply_edit(PATIENT)
    heads, version = document.heads(), document.version
    before = document.get_state()
    change(P, gender="male")(document.fork())
    change(P, gender="male")(document)
    document.apply_edit(OBSERVATION, author="Dr. B")
    assert document.state_at(heads) == document.state_at(version) == before
    assert document.state_at(heads, P)["gender"] == "female"
    assert document.state_at(before["entry"][0]["resource"]["meta"]["versionId"]) == before
    with pytest.raises(NotFound):
        document.state_at(heads, "Observation/o1")
    assert [change["author"] for change in document.history()] == ["Dr. A", "Dr. A", "Dr. B"]
    assert [change["entries"] for change in document.history("Observation/o1")] == [
        ["Observation/o1"]
    ]
    blame = {cell["path"]: cell["change"] for cell in document.blame(P)}
    first, second, _ = (change["change"] for change in document.history())
    assert blame == {"Patient.gender": second, "Patient.birthDate": first}


def test_saving_pickling_copying() -> None:
    document = merged()
    copies = [
        DocumentMerge.load(document.save()),
        pickle.loads(pickle.dumps(document)),
        copy.copy(document),
        copy.deepcopy(document),
        document.fork(),
    ]
    same(document, *copies)
    assert copies[1].author == copies[2].author == "Dr. A"
    # Each writes as an actor of its own: two that edit apart can still be merged.
    for number, one in enumerate(copies):
        change(P, multipleBirthInteger=number + 1)(one)
    exchange(*copies)
    same(*copies)


def test_the_representation_holds_no_content() -> None:
    document = merged()
    assert repr(document) == "DocumentMerge('patient-123', entries=1, changes=3, waiting=0)"


def test_a_forked_process_writes_as_an_actor_of_its_own() -> None:
    document = DocumentMerge("d")
    document.apply_edit(PATIENT)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        change(P, gender="male")(document)
        os.write(writable, document.changes_since([]))
        os._exit(0)
    os.waitpid(child, 0)
    change(P, birthDate="1999-09-09")(document)
    document.apply_edit(os.read(readable, 1 << 16))
    state = document.get_state(P)
    assert (state["gender"], state["birthDate"]) == ("male", "1999-09-09")


def test_threads_share_a_document() -> None:
    document = DocumentMerge("d")
    document.apply_edit(PATIENT)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                observation = {**OBSERVATION, "id": f"o{number}-{turn}"}
                document.apply_edit(observation, author=f"thread {number}")
                document.get_state()
                document.conflicts()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(document.get_state()["entry"]) == 81


NAMES = st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3)
MEMBERS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("gender"), st.sampled_from(["male", "female", "other", None])),
    st.tuples(st.just("birthDate"), st.sampled_from(["1970", "1971-02", None])),
    st.tuples(st.just("active"), st.sampled_from([True, False, None])),
    st.tuples(st.just("name"), NAMES.map(lambda names: [{"family": name} for name in names])),
    st.tuples(st.just("deceasedBoolean"), st.sampled_from([True, False, None])),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.integers(0, 2), st.sampled_from(["p1", "p2"]), MEMBERS),
        st.tuples(st.just("assert"), st.integers(0, 2), st.sampled_from(["p1", "p2"]), MEMBERS),
        st.tuples(st.just("remove"), st.integers(0, 2), st.sampled_from(["p1", "p2"])),
        st.tuples(st.just("patch"), st.integers(0, 2), st.sampled_from(["p1", "p2"]), MEMBERS),
        st.tuples(st.just("old patch"), st.integers(0, 2), st.sampled_from(["p1", "p2"]), MEMBERS),
        st.tuples(st.just("undo"), st.integers(0, 2), st.integers(0, 10)),
        st.tuples(st.just("load"), st.integers(0, 2)),
        st.tuples(st.just("pull"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("pull saved"), st.integers(0, 2), st.integers(0, 2)),
    ),
    max_size=25,
)


@given(steps=STEPS, order=st.permutations([0, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_random_edits_of_three_forks_end_equal(
    steps: list[tuple[Any, ...]], order: list[int]
) -> None:
    origin = DocumentMerge("d")
    origin.apply_edit(PATIENT)
    forks = [origin.fork(author=f"author {number}") for number in range(3)]
    for step in steps:
        play(forks, step)
    everything = [fork.changes_since([]) for fork in forks]
    for fork in forks:
        for index in order:
            fork.apply_edit(everything[index])
    same(*forks)
    same(forks[0], DocumentMerge.load(forks[1].save()))
    assert forks[0].differences(forks[0].heads(), forks[1].heads()) == []
    # Associative: two that met first say the same to the third.
    pair = origin.fork()
    for bytes_of in (everything[order[0]], everything[order[1]]):
        pair.apply_edit(bytes_of)
    third = origin.fork()
    third.apply_edit(everything[order[2]])
    third.apply_edit(pair.changes_since([]))
    # Idempotent: what is known already changes nothing.
    assert third.apply_edit(everything[order[0]]) == []
    same(third, forks[0])


def play(forks: list[DocumentMerge], step: tuple[Any, ...]) -> None:
    kind, fork = step[0], forks[step[1]]
    if kind in ("pull", "pull saved"):
        of = forks[step[2]]
        fork.apply_edit(of.save() if kind == "pull saved" else of.changes_since(fork.heads()))
        return
    if kind == "load":
        forks[step[1]] = DocumentMerge.load(fork.save(), author=fork.author)
        return
    if kind == "undo":
        own = [one for one in fork.history() if one["author"] == fork.author]
        if own:
            fork.undo(own[step[2] % len(own)])
        return
    entry = f"Patient/{step[2]}"
    if kind in ("patch", "old patch"):
        name, value = step[3]
        history = fork.history(entry)
        base = [history[0]["change"]] if kind == "old patch" and history else None
        with contextlib.suppress(NotFound):
            fork.apply_patch(entry, {name: value}, base=base)
        return
    try:
        resource = fork.get_state(entry)
    except NotFound:
        if kind == "remove":
            return
        resource = {"resourceType": "Patient", "id": step[2]}
    if kind == "remove":
        fork.remove(entry)
        return
    name, value = step[3]
    if kind == "assert":
        resource = {"resourceType": "Patient", "id": step[2]}
    resource.pop(name, None)
    fork.apply_edit({**resource, **({} if value is None else {name: value})})
