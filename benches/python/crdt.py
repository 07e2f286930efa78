"""The Python row of `cargo xtask bench crdt`: one change set of 50 edits.

Every engine holds the same Patient, its members and list elements as members and elements of its
own, and puts new values at the same 50 places in one transaction. Clisonix takes them as one JSON
Patch and answers with the change's id; it alone also checks the result against FHIR R4. An engine
that is not installed is named on the error output and has no row.
"""

import json
import statistics
import sys
import time

CONTACTS = 10
RUNS = 2_000 if "--full" in sys.argv else 400

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "gender": "female",
    "contact": [
        {
            "gender": "female",
            "name": {"text": f"name {number}"},
            "organization": {"display": f"ward {number}"},
            "period": {"start": "2020-01-01"},
            "address": {"city": f"city {number}"},
        }
        for number in range(CONTACTS)
    ],
}
# Index of the contact, place in it, new value.
EDITS = [
    edit
    for number in range(CONTACTS)
    for edit in [
        (number, ("gender",), "male"),
        (number, ("name", "text"), f"new name {number}"),
        (number, ("organization", "display"), f"new ward {number}"),
        (number, ("period", "start"), f"2021-01-{number + 10}"),
        (number, ("address", "city"), f"new city {number}"),
    ]
]


def pycrdt_run():
    from pycrdt import Array, Doc, Map

    def held(value):
        if isinstance(value, dict):
            return Map({name: held(member) for name, member in value.items()})
        return Array([held(item) for item in value]) if isinstance(value, list) else value

    doc = Doc()
    doc["patient"] = held(PATIENT)
    start = time.thread_time_ns()
    with doc.transaction():
        contacts = doc["patient"]["contact"]
        for number, (*above, last), value in EDITS:
            place = contacts[number]
            for name in above:
                place = place[name]
            place[last] = value
    return time.thread_time_ns() - start


def loro_run():
    from loro import LoroDoc, LoroList, LoroMap

    def fill(container, value):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in pairs:
            if isinstance(member, dict):
                fill(container.insert_container(key, LoroMap()), member)
            elif isinstance(member, list):
                fill(container.insert_container(key, LoroList()), member)
            else:
                container.insert(key, member)

    doc = LoroDoc()
    fill(doc.get_map("patient"), PATIENT)
    doc.commit()
    start = time.thread_time_ns()
    contacts = doc.get_map("patient").get("contact").container
    for number, (*above, last), value in EDITS:
        place = contacts.get(number).container
        for name in above:
            place = place.get(name).container
        place.insert(last, value)
    doc.commit()
    return time.thread_time_ns() - start


def clisonix_run():
    from clisonix.crdt import DocumentMerge

    doc = DocumentMerge(document_id="bench")
    doc.apply_edit(PATIENT)
    patch = [
        {
            "op": "replace",
            "path": f"/Patient/p1/contact/{number}/{'/'.join(place)}",
            "value": value,
        }
        for number, place, value in EDITS
    ]
    start = time.thread_time_ns()
    doc.apply_edit(patch)
    taken = time.thread_time_ns() - start
    shown = doc.get_state("Patient/p1")["contact"]
    assert shown[9]["name"]["text"] == "new name 9" and len(doc.history()) == 2
    return taken


def main():
    for subject, run in [("pycrdt", pycrdt_run), ("loro", loro_run), ("clisonix", clisonix_run)]:
        try:
            times = [run() for _ in range(RUNS)]
        except ImportError as missing:
            print(f"{subject}: not measured ({missing})", file=sys.stderr)
            continue
        value = round(statistics.median(times) / 1_000 / len(EDITS), 3)
        if "--json" in sys.argv:
            row = {
                "bench": "crdt",
                "row": "python_edit_us",
                "subject": subject,
                "value": value,
                "unit": "us",
                "better": "lower",
            }
            print(json.dumps(row))
        else:
            print(f"{'Python: a 50-edit change set, µs/edit':<48}{subject:>12}{value:>12.2f}")


main()
