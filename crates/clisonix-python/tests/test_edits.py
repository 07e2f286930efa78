"""Edits as people make them: resources, Bundles, patches, stale versions, feeds."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from cases import OBSERVATION, PATIENT, change
from clisonix.crdt import DocumentMerge
from clisonix.errors import (
    ChangesRefused,
    ClisonixError,
    EditRefused,
    InvalidResource,
    NotFound,
    PatchError,
    UnknownVersion,
)

P = "Patient/p1"


@pytest.fixture
def doc() -> DocumentMerge:
    document = DocumentMerge("patient-123")
    document.apply_edit(PATIENT)
    return document


def shown(document: DocumentMerge, entry: str = P) -> dict[str, Any]:
    state = document.get_state(entry)
    meta = state.pop("meta")
    assert set(meta) <= {"versionId", "lastUpdated"}
    return state


@pytest.mark.parametrize("form", ["dict", "text", "patch", "bytes"])
def test_the_five_lines(form: str) -> None:
    clinician_a_changes: Any = PATIENT
    clinician_b_changes: Any = OBSERVATION
    if form == "text":
        clinician_a_changes = json.dumps(PATIENT)
        clinician_b_changes = json.dumps(OBSERVATION)
    elif form == "patch":
        clinician_a_changes = [{"op": "add", "path": "/Patient/p1", "value": PATIENT}]
        clinician_b_changes = [{"op": "add", "path": "/Observation/o1", "value": OBSERVATION}]
    elif form == "bytes":
        of_a = DocumentMerge(document_id="patient-123")
        of_b = of_a.fork()
        of_a.apply_edit(PATIENT)
        of_b.apply_edit(OBSERVATION)
        clinician_a_changes, clinician_b_changes = of_a.changes_since([]), of_b.changes_since([])

    from clisonix.crdt import DocumentMerge as _  # noqa: F401

    doc = DocumentMerge(document_id='patient-123')
    doc.apply_edit(clinician_a_changes)
    doc.apply_edit(clinician_b_changes)  # No conflicts!
    merged = doc.get_state()

    assert merged["resourceType"] == "Bundle" and merged["type"] == "collection"
    kinds = sorted(entry["resource"]["resourceType"] for entry in merged["entry"])
    assert kinds == ["Observation", "Patient"]
    assert doc.conflicts() == []


def test_an_edit_names_its_changes_and_a_repeat_makes_none(doc: DocumentMerge) -> None:
    (first,) = doc.heads()
    assert doc.apply_edit(doc.get_state(P)) == []
    (made,) = doc.apply_edit({**doc.get_state(P), "gender": "other"})
    assert doc.heads() == [made] != [first]
    assert doc.history()[-1]["dependencies"] == [first]


@pytest.mark.parametrize("how", ["meta", "heads", "version", "bundle"])
def test_an_edit_of_an_old_version_merges(doc: DocumentMerge, how: str) -> None:
    read, whole, heads = doc.get_state(P), doc.get_state(), doc.heads()
    version = doc.version
    change(P, gender="other")(doc)
    base: Any = {"meta": None, "heads": heads, "version": version, "bundle": None}[how]
    if how == "bundle":
        whole["entry"][0]["resource"]["birthDate"] = "1971-02-02"
        doc.apply_edit(whole)
    else:
        read["birthDate"] = "1971-02-02"
        if how != "meta":
            del read["meta"]
        doc.apply_edit(read, base=base)
    assert shown(doc) == {**PATIENT, "gender": "other", "birthDate": "1971-02-02"}
    assert doc.conflicts() == []


def test_an_assertion_adds_and_never_clears(doc: DocumentMerge) -> None:
    doc.apply_edit({"resourceType": "Patient", "id": "p1", "active": True, "gender": "male"})
    state = shown(doc)
    assert state["birthDate"] == "1970-01-01" and state["active"] is True
    (conflict,) = doc.conflicts()
    assert conflict["path"] == "Patient.gender"
    assert sorted(side["value"]["gender"] for side in conflict["values"]) == ["female", "male"]


def test_another_systems_version_id_is_no_version(doc: DocumentMerge) -> None:
    meta = {"versionId": "3"}
    doc.apply_edit({"resourceType": "Patient", "id": "p1", "meta": meta, "active": True})
    assert shown(doc)["birthDate"] == "1970-01-01"


def test_a_bundle_with_version_is_the_whole_document(doc: DocumentMerge) -> None:
    doc.apply_edit(OBSERVATION)
    whole = doc.get_state()
    whole["entry"] = [e for e in whole["entry"] if e["resource"]["resourceType"] == "Patient"]
    doc.apply_edit(whole)
    with pytest.raises(NotFound):
        doc.get_state("Observation/o1")


def test_a_bundle_without_version_asserts(doc: DocumentMerge) -> None:
    entry = [{"resource": OBSERVATION}, {"resource": {**PATIENT, "active": True}}]
    doc.apply_edit({"resourceType": "Bundle", "type": "collection", "entry": entry})
    assert shown(doc)["active"] is True and shown(doc, "Observation/o1") == OBSERVATION


def test_entries_of_a_bundle_that_mean_the_same_fact_do_not_overwrite_each_other() -> None:
    result = {"resourceType": "Observation", "status": "final", "code": {"text": "glucose"}}
    entry = [{"resource": {**result, "valueString": value}} for value in ("a", "b")]
    document = DocumentMerge("d")
    document.apply_edit({"resourceType": "Bundle", "type": "collection", "entry": entry})
    (conflict,) = document.conflicts()
    values = [side["value"]["valueString"] for side in conflict["values"]]
    assert sorted(values) == ["a", "b"]


def test_numbers_keep_their_text(doc: DocumentMerge) -> None:
    numbers = ["1.10", "0.00000001", "1e3", "1E-7", "-0.50", "100", "12345678901234567890.5"]
    extension = [{"url": f"http://x/{n}", "valueDecimal": "@"} for n in numbers]
    text = json.dumps({**PATIENT, "extension": extension})
    for number in numbers:
        text = text.replace('"@"', number, 1)
    doc.apply_edit(text)
    state = doc.get_state(P)
    assert all(f'"valueDecimal":{number}' in doc.get_state_json(P) for number in numbers)
    assert state["extension"][0]["valueDecimal"] == Decimal("1.1")
    assert doc.apply_edit(state) == [], "what was read and not changed is no edit"
    state["extension"] = [{"url": "http://y", "valueDecimal": 2.5}]
    doc.apply_edit(state)
    assert '"valueDecimal":2.5' in doc.get_state_json(P)


def test_patch_of_the_bundle(doc: DocumentMerge) -> None:
    made = doc.apply_edit(
        [
            {"op": "test", "path": "/entry/0/resource/gender", "value": "female"},
            {"op": "replace", "path": "/entry/0/resource/gender", "value": "other"},
            {"op": "add", "path": "/entry/-", "value": {"resource": OBSERVATION}},
        ]
    )
    assert len(made) == 1
    assert shown(doc)["gender"] == "other" and shown(doc, "Observation/o1") == OBSERVATION
    # Entries are in order of type and id: the observation now stands first.
    doc.apply_edit('[{"op": "remove", "path": "/entry/0"}]')
    assert [e["resource"]["id"] for e in doc.get_state()["entry"]] == ["p1"]


def test_patch_of_named_entries_at_an_old_version(doc: DocumentMerge) -> None:
    base = doc.heads()
    change(P, gender="other")(doc)
    doc.apply_edit([{"op": "replace", "path": "/Patient/p1/birthDate", "value": "1999-09-09"}], base)
    assert shown(doc) == {**PATIENT, "gender": "other", "birthDate": "1999-09-09"}
    doc.apply_edit([{"op": "remove", "path": "/Patient/p1"}])
    assert "entry" not in doc.get_state()


@pytest.mark.parametrize(
    ("patch", "index"),
    [
        ([{"op": "test", "path": "/Patient/p1/gender", "value": "male"}], 0),
        ([{"op": "test", "path": "", "value": 1}], 0),
        (
            [
                {"op": "remove", "path": "/Patient/p1/gender"},
                {"op": "remove", "path": "/Patient/p1/gender"},
            ],
            1,
        ),
        ([{"op": "remove", "path": "/Patient"}], 0),
        (
            [
                {"op": "remove", "path": "/Patient/p1/gender"},
                {"op": "remove", "path": "/entry/0"},
            ],
            1,
        ),
        ([{"resourceType": "Patient"}], 0),
    ],
)
def test_a_patch_that_fails_changes_nothing(
    doc: DocumentMerge, patch: list[dict[str, Any]], index: int
) -> None:
    before = doc.save()
    with pytest.raises(PatchError) as caught:
        doc.apply_edit(patch)
    assert caught.value.index == index
    assert doc.save() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"resourceType": "Patient", "id": "p1", "gender": "SECRET"},
        {"resourceType": "Patient", "id": "p1", "birthDate": "SECRET"},
        {"resourceType": "Observation", "id": "o1", "status": "final"},
        {"resourceType": "Patient", "id": "p1", "SECRET2": 1},
        {"resourceType": "Nothing"},
        {"resourceType": "Bundle", "type": "collection", "entry": 7},
        {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:x"}]},
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}] * 2},
        [{"op": "replace", "path": "/Patient/p1/gender", "value": "SECRET"}],
        [{"op": "replace", "path": "/Patient/p1/id", "value": "p2"}],
        '{"resourceType": "Patient", "id": SECRET}',
        "7",
        {"resourceType": "Patient", "id": "p1", "x": float("nan")},
        {"resourceType": "Patient", "id": "p1", "x": "\ud800"},
    ],
)
def test_what_is_not_valid_is_refused_whole(doc: DocumentMerge, changes: Any) -> None:
    before = doc.save()
    with pytest.raises(InvalidResource) as caught:
        doc.apply_edit(changes)
    assert caught.value.issues
    assert {"severity", "code", "path", "message"} == set(caught.value.issues[0])
    assert "SECRET" not in str(caught.value).replace("SECRET2", "")
    assert doc.save() == before


@pytest.mark.parametrize("changes", [7, {"a": object()}, {1: 2}, [set()], None])
def test_what_is_no_json_is_a_type_error(doc: DocumentMerge, changes: Any) -> None:
    with pytest.raises((TypeError, InvalidResource)):
        doc.apply_edit(changes)


def test_depth_is_limited(doc: DocumentMerge) -> None:
    nested: Any = {}
    for _ in range(10_000):
        nested = {"x": nested}
    with pytest.raises(InvalidResource):
        doc.apply_edit(nested)


def test_unknown_versions_and_entries(doc: DocumentMerge) -> None:
    for base in ["v" + "A" * 15, ["0" * 64], ["nonsense"], "nonsense"]:
        with pytest.raises(UnknownVersion):
            doc.apply_edit(PATIENT, base=base)
        with pytest.raises(UnknownVersion):
            doc.state_at(base)
    with pytest.raises(NotFound):
        doc.get_state("Patient/p2")
    with pytest.raises(KeyError):
        doc.get_state("p2")
    with pytest.raises(NotFound):
        doc.remove("Observation/o1")
    with pytest.raises(NotFound):
        doc.blame("Observation/o1")
    with pytest.raises(EditRefused):
        doc.apply_edit({**PATIENT, "active": True}, author="")
    with pytest.raises(ClisonixError):
        DocumentMerge("")
    with pytest.raises(TypeError):
        doc.apply_edit(PATIENT, base=7)  # type: ignore[arg-type]


def test_several_edits_in_one_call_are_all_or_none(doc: DocumentMerge) -> None:
    base = doc.heads()
    made = doc.apply_edits(
        [
            ({**PATIENT, "gender": "other"}, base),
            ({**PATIENT, "birthDate": "1999-09-09"}, base),
            (OBSERVATION, None),
        ],
        author="Dr. A",
    )
    assert [len(ids) for ids in made] == [1, 1, 1]
    assert shown(doc) == {**PATIENT, "gender": "other", "birthDate": "1999-09-09"}
    before = doc.save()
    with pytest.raises(InvalidResource):
        doc.apply_edits([({**PATIENT, "active": True}, doc.heads()), ({"resourceType": "X"}, None)])
    with pytest.raises(UnknownVersion):
        doc.apply_edits([({**PATIENT, "active": True}, doc.heads()), (PATIENT, ["0" * 64])])
    assert doc.save() == before


def test_a_feed_that_says_the_same_again_reverts_nothing(doc: DocumentMerge) -> None:
    time = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)
    stated = {**OBSERVATION, "status": "final"}
    assert doc.apply_edit(stated, source={"feed": "lab", "time": time})
    change("Observation/o1", status="amended")(doc)
    assert doc.apply_edit(stated, source={"feed": "lab", "time": time}) == []
    again = {"feed": "lab", "time": time + datetime.timedelta(days=1), "message": b"0" * 16}
    doc.apply_edit(stated, source=again)
    assert doc.get_state("Observation/o1")["status"] == "amended"
    (first, *_) = doc.history("Observation/o1")
    assert first["source"] is not None
    assert first["source"]["feed"] == "lab"
    assert first["source"]["time"] == "2024-05-01T00:00:00.000Z"


def fhirpath_patch(*operations: dict[str, str], **values: Any) -> dict[str, Any]:
    """``Parameters`` with one operation: its parts, and the new value as ``valueX=..``."""
    parts: list[dict[str, Any]] = [
        {"name": name, "valueCode" if name == "type" else "valueString": text}
        for operation in operations
        for name, text in operation.items()
    ]
    parts += [{"name": "value", name: value} for name, value in values.items()]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


GENDER = {"type": "replace", "path": "Patient.gender"}


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "replace", "path": "/gender", "value": "other"}],
        fhirpath_patch(GENDER, valueCode="other"),
        {"gender": "other"},
        '{"gender": "other"}',
    ],
)
def test_a_patch_of_one_entry_in_three_forms(doc: DocumentMerge, patch: Any) -> None:
    base = doc.heads()
    change(P, birthDate="1971-02-02")(doc)
    (made,) = doc.apply_patch(P, patch, base=base, author="Dr. A")
    assert shown(doc) == {**PATIENT, "gender": "other", "birthDate": "1971-02-02"}
    assert doc.conflicts() == []
    assert doc.history()[-1]["change"] == made and doc.history()[-1]["author"] == "Dr. A"
    assert doc.apply_patch(P, patch) == [], "it says so already"


@pytest.mark.parametrize(
    "changes",
    [
        fhirpath_patch(GENDER, valueCode="other"),
        fhirpath_patch(
            {"type": "replace", "path": "Bundle.entry[0].resource.gender"}, valueCode="other"
        ),
        {"Patient": {"p1": {"gender": "other"}}},
    ],
)
def test_an_edit_takes_patches_of_all_forms(doc: DocumentMerge, changes: Any) -> None:
    assert len(doc.apply_edit(changes)) == 1
    assert shown(doc) == {**PATIENT, "gender": "other"}


def test_a_merge_patch_adds_and_removes_entries(doc: DocumentMerge) -> None:
    doc.apply_edit({"Patient": {"p1": None}, "Observation": {"o1": OBSERVATION}})
    assert [entry["resource"]["id"] for entry in doc.get_state()["entry"]] == ["o1"]


def test_a_fhirpath_patch_must_lead_to_one_entry(doc: DocumentMerge) -> None:
    doc.apply_edit({**PATIENT, "id": "p2"})
    before = doc.save()
    patch = fhirpath_patch(GENDER, valueCode="other")
    with pytest.raises(PatchError):
        doc.apply_edit(patch)
    with pytest.raises(PatchError):
        doc.apply_edit(fhirpath_patch({"type": "delete", "path": "gender"}))
    assert doc.save() == before
    doc.apply_patch("Patient/p2", patch)
    assert doc.get_state("Patient/p2")["gender"] == "other"


def test_patches_of_one_entry_that_fail_change_nothing(doc: DocumentMerge) -> None:
    before = doc.save()
    with pytest.raises(NotFound):
        doc.apply_patch("Patient/p2", {"gender": "other"})
    with pytest.raises(PatchError):
        doc.apply_patch(P, [{"op": "test", "path": "/gender", "value": "male"}])
    with pytest.raises(InvalidResource):
        doc.apply_patch(P, {"gender": "SECRET"})
    with pytest.raises(InvalidResource):
        doc.apply_patch(P, {"id": "p2"})
    with pytest.raises(UnknownVersion):
        doc.apply_patch(P, {"gender": "other"}, base=["0" * 64])
    with pytest.raises(TypeError):
        doc.apply_patch(P, b"")  # type: ignore[arg-type]
    assert doc.save() == before


def test_one_can_undo_ones_own_change(doc: DocumentMerge) -> None:
    (made,) = doc.apply_patch(P, {"gender": "other", "birthDate": "1971-02-02"}, author="Dr. A")
    doc.apply_patch(P, {"birthDate": "1972-03-03"}, author="Dr. B")
    with pytest.raises(EditRefused):
        doc.undo(made, author="Dr. B")
    with pytest.raises(UnknownVersion):
        doc.undo("0" * 64)
    with pytest.raises(UnknownVersion):
        doc.undo("nonsense")
    undone = next(one for one in doc.history() if one["change"] == made)
    assert len(doc.undo(undone, author="Dr. A")) == 1
    assert shown(doc) == {**PATIENT, "birthDate": "1972-03-03"}
    assert doc.undo(made, author="Dr. A") == []


def test_differences_between_versions(doc: DocumentMerge) -> None:
    first = doc.heads()
    doc.apply_patch(P, {"gender": "other", "birthDate": None})
    doc.apply_edit(OBSERVATION)
    found = {one["path"]: (one["entry"], one["before"], one["after"]) for one in doc.differences(first)}
    assert found["Patient.gender"] == (P, {"gender": "female"}, {"gender": "other"})
    assert found["Patient.birthDate"] == (P, {"birthDate": "1970-01-01"}, None)
    assert found["Observation.status"][1:] == (None, {"status": "preliminary"})
    back = {one["path"]: (one["before"], one["after"]) for one in doc.differences(doc.version, first)}
    assert back == {path: (after, before) for path, (_, before, after) in found.items()}
    assert doc.differences(first, first) == []
    assert {one["entry"] for one in doc.differences([], first)} == {P}
    with pytest.raises(UnknownVersion):
        doc.differences(["0" * 64])


def test_an_erased_value_is_gone_and_the_history_still_verifies(doc: DocumentMerge) -> None:
    change(P, gender="other")(doc)
    other, before = doc.fork(), doc.history()
    read = doc.heads()
    (erased,) = doc.erase(P, "/gender", reason="wrong patient", author="dpo")
    assert "gender" not in shown(doc)
    for document in (doc, DocumentMerge.load(doc.save()), other):
        document.apply_edit(doc.changes_since(document.heads()))
        assert [told["change"] for told in document.history()][:-1] == [
            told["change"] for told in before
        ]
        last = document.history()[-1]
        assert (last["change"], last["author"]) == (erased, "dpo")
        assert last["erases"]["place"] == "Patient.gender"
        assert last["erases"]["reason"] == "wrong patient"
        old = document.state_at(read)["entry"][0]["resource"]
        assert "gender" not in old and old["id"] == "p1"
        assert b"gender" not in document.changes_since([])
    with pytest.raises(NotFound):
        doc.erase(P, "/gender", reason="again")
    with pytest.raises(EditRefused):
        doc.undo(erased, author="dpo")


def test_entries_and_documents_are_erased_whole(doc: DocumentMerge) -> None:
    doc.apply_edit(OBSERVATION)
    doc.erase("Observation/o1", reason="wrong patient")
    assert [entry["resource"]["resourceType"] for entry in doc.get_state()["entry"]] == ["Patient"]
    doc.erase(reason="the patient asked for it")
    assert "entry" not in doc.get_state()
    with pytest.raises(NotFound):
        doc.erase(reason="again")


def test_a_late_edit_of_an_erased_value_is_refused_short_and_taken_whole(
    doc: DocumentMerge,
) -> None:
    late = doc.fork()
    change(P, gender="other")(late)
    doc.erase(P, "/gender", reason="wrong patient")
    with pytest.raises(ChangesRefused):
        doc.apply_edit(late.changes_since(doc.heads()))
    doc.apply_edit(late.changes_since(doc.heads(), whole=True))
    assert shown(doc)["gender"] == "other" and doc.conflicts() == []
