"""The six clinical cases, in every order of actors and of arrival."""

from typing import Any

import pytest
from cases import OBSERVATION, change, concurrently
from clisonix.crdt import DocumentMerge

SUBJECT = {"reference": "Patient/patient-123"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ACTIVE = {"coding": [{"system": CLINICAL, "code": "active"}]}


def dosage(value: int, unit: str) -> list[dict[str, Any]]:
    dose = {"doseQuantity": {"value": value, "unit": unit}}
    return [{"text": "daily", "doseAndRate": [dose]}]


def test_case_1_a_dose_is_never_mixed() -> None:
    request = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "warfarin"},
        "subject": SUBJECT,
        "dosageInstruction": dosage(5, "mg"),
    }
    name = "MedicationRequest/m1"
    a = change(name, dosageInstruction=dosage(5000, "mcg"))
    b = change(name, dosageInstruction=dosage(10, "mg"))
    for document in concurrently(request, a, b):
        shown = document.get_state(name)["dosageInstruction"]
        assert shown in (dosage(5000, "mcg"), dosage(10, "mg"))
        (conflict,) = document.conflicts()
        assert conflict["severity"] == "high"
        written = [side["value"] for side in conflict["values"]]
        assert dosage(5000, "mcg")[0] in written and dosage(10, "mg")[0] in written


def test_case_2_one_value() -> None:
    a = change("Observation/o1", valueString="positive")
    b = change("Observation/o1", valueQuantity={"value": 3, "unit": "g"})
    for document in concurrently(OBSERVATION, a, b):
        shown = document.get_state("Observation/o1")
        assert len([name for name in shown if name.startswith("value")]) == 1
        (conflict,) = document.conflicts()
        assert conflict["path"] == "Observation.value"


def test_case_3_no_relapse_with_abatement() -> None:
    def status(code: str) -> dict[str, Any]:
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        return {"coding": [{"system": system, "code": code}]}

    problem = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": status("active"),
        "code": {"text": "asthma"},
        "subject": SUBJECT,
    }
    a = change("Condition/c1", clinicalStatus=status("resolved"), abatementDateTime="2024-05-01")
    b = change("Condition/c1", clinicalStatus=status("relapse"))
    for document in concurrently(problem, a, b):
        shown = document.get_state("Condition/c1")
        assert shown["clinicalStatus"] == status("relapse")
        assert "abatementDateTime" not in shown
        assert len(document.conflicts()) == 1


def test_case_4_entered_in_error_absorbs() -> None:
    a = change("Observation/o1", status="entered-in-error")
    b = change("Observation/o1", status="final")
    for document in concurrently(OBSERVATION, a, b):
        assert document.get_state("Observation/o1")["status"] == "entered-in-error"
        assert len(document.conflicts()) == 1


ALLERGY = {
    "clinicalStatus": ACTIVE,
    "resourceType": "AllergyIntolerance",
    "id": "a1",
    "criticality": "low",
    "code": {"text": "penicillin"},
    "patient": SUBJECT,
}


def test_case_5_an_allergy_that_became_graver_stays() -> None:
    def remove(document: DocumentMerge) -> object:
        return document.remove("AllergyIntolerance/a1")

    raised = change("AllergyIntolerance/a1", criticality="high")
    for document in concurrently(ALLERGY, remove, raised):
        shown = document.get_state("AllergyIntolerance/a1")
        assert shown["criticality"] == "high" and shown["code"] == {"text": "penicillin"}
        (conflict,) = document.conflicts()
        assert conflict["kind"] == "removal"
        assert any(side["removed"] for side in conflict["values"])


@pytest.mark.parametrize("keep", [True, False])
def test_a_flagged_removal_is_settled(keep: bool) -> None:
    def remove(document: DocumentMerge) -> object:
        return document.remove("AllergyIntolerance/a1")

    raised = change("AllergyIntolerance/a1", criticality="high")
    for document in concurrently(ALLERGY, remove, raised):
        (conflict,) = document.conflicts()
        assert document.resolve(conflict, keep, author="Dr. C")
        assert document.conflicts() == []
        assert bool(document.get_state().get("entry")) is keep


def test_case_6_the_same_allergy_twice_is_one() -> None:
    def add(document: DocumentMerge) -> object:
        coding = [{"system": "http://snomed.info/sct", "code": "91936005"}]
        allergy: dict[str, Any] = {"resourceType": "AllergyIntolerance", "patient": SUBJECT}
        allergy["clinicalStatus"] = ACTIVE
        return document.apply_edit({**allergy, "code": {"coding": coding}})

    for document in concurrently(None, add, add):
        assert len(document.get_state()["entry"]) == 1
        assert document.conflicts() == []
