"""The Python row of `cargo xtask bench crdt`: one change set of 50 edits.

An engine that is not installed is named on the error output and has no row.
"""

import json
import statistics
import sys
import time

EDITS = 50
RUNS = 2_000 if "--full" in sys.argv else 400


def observation(value):
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"text": "glucose"},
        "valueString": value,
    }


def pycrdt_run():
    from pycrdt import Doc, Map

    doc = Doc()
    fields = doc.get("fields", type=Map)
    values = [(f"field{i}", f"value {i}") for i in range(EDITS)]
    start = time.thread_time_ns()
    with doc.transaction():
        for name, value in values:
            fields[name] = value
    return time.thread_time_ns() - start


def loro_run():
    from loro import LoroDoc

    doc = LoroDoc()
    fields = doc.get_map("fields")
    values = [(f"field{i}", f"value {i}") for i in range(EDITS)]
    start = time.thread_time_ns()
    for name, value in values:
        fields.insert(name, value)
    doc.commit()
    return time.thread_time_ns() - start


def clisonix_run():
    from clisonix.crdt import DocumentMerge

    doc = DocumentMerge(document_id="bench")
    doc.apply_edit({**observation("0"), "note": [{"text": "first"}]})
    patch = [
        {"op": "add", "path": "/Observation/o1/note/-", "value": {"text": f"value {i}"}}
        for i in range(EDITS)
    ]
    start = time.thread_time_ns()
    doc.apply_edit(patch)
    return time.thread_time_ns() - start


def main():
    for subject, run in [("pycrdt", pycrdt_run), ("loro", loro_run), ("clisonix", clisonix_run)]:
        try:
            times = [run() for _ in range(RUNS)]
        except ImportError as missing:
            print(f"{subject}: not measured ({missing})", file=sys.stderr)
            continue
        value = round(statistics.median(times) / 1_000 / EDITS, 3)
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
