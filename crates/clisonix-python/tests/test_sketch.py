"""The committed vectors of sketches, made again by the second implementation."""

import json
from pathlib import Path

from second_sketch import (
    check,
    difference,
    entry,
    entry_id,
    epoch_key,
    name_check,
    places,
    set_hash,
    siphash,
    symbols,
    write_symbols,
)

FILE = Path(__file__).parents[2] / "clisonix-tide/tests/vectors/sketch.json"
VECTORS = json.loads(FILE.read_text())
ENTRIES = [bytes.fromhex(record["entry"]) for record in VECTORS["records"]]
IDS = [entry_id(one) for one in ENTRIES]
OTHERS = [entry_id(bytes.fromhex(other)) for other in VECTORS["others"]]


def test_siphash() -> None:
    # The first 128-bit vector of the authors' own.
    assert siphash(bytes(range(16)), b"").hex() == "a3817f04ba25a8e66df67214c7550293"


def test_entries() -> None:
    key = epoch_key(bytes.fromhex(VECTORS["secret"]), int(VECTORS["epoch"]))
    assert key.hex() == VECTORS["key"]
    for record in VECTORS["records"]:
        made = entry(key, record["record"], bytes.fromhex(record["version"]))
        assert made.hex() == record["entry"]
        assert f"{check(entry_id(made)):08x}" == record["check"]
        assert f"{name_check(key, record['record']):08x}" == record["name_check"]
        assert list(places(entry_id(made), 2000)) == record["places"]
    assert f"{set_hash(ENTRIES):032x}" == VECTORS["set_hash"]


def test_symbols_and_difference() -> None:
    ours, theirs = symbols(IDS, 24), symbols(IDS[3:] + OTHERS, 24)
    assert write_symbols(ours).hex() == VECTORS["symbols"]
    assert write_symbols(theirs).hex() == VECTORS["theirs_symbols"]
    assert difference(theirs, ours) == (set(IDS[:3]), set(OTHERS))
