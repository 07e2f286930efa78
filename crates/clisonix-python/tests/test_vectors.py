"""The committed vectors of the formats, read by the second decoder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from second_decoder import (
    EDITS,
    POSITION,
    SET,
    Change,
    Keys,
    Link,
    Malformed,
    Names,
    Reader,
    Replica,
    Saved,
    key_hash,
    read_edits,
    read_saved,
    typed,
    way,
)

CRDT = Path(__file__).parents[2] / "clisonix-crdt"
DICTIONARY = (CRDT / "src/deflate/dictionary.txt").read_bytes()


def load(name: str) -> Any:
    return json.loads((CRDT / "tests/vectors" / name).read_text())


NAMES_FILE, SMALL, EXCHANGE = load("names.json"), load("small.json"), load("exchange.json")
ERASURE = load("erasure.json")
# Batches as the version before wrote them.
BEFORE = load("batch-3.json")
NAMES = Names(
    {number: name for name, number in NAMES_FILE["types"].items()},
    {int(number): element["path"] for number, element in NAMES_FILE["elements"].items()},
)
RECORD = EXCHANGE["record"]


def ids(changes: list[dict[str, Any]]) -> list[str]:
    return [change["change"] for change in changes]


def hexes(found: list[bytes]) -> list[str]:
    return [one.hex() for one in found]


def whole() -> Replica:
    replica = Replica(RECORD, NAMES)
    replica.read_batch(bytes.fromhex(EXCHANGE["batches"]["all"]), DICTIONARY)
    return replica


def test_key_hashes() -> None:
    for key in NAMES_FILE["keys"]:
        assert key_hash(key["parts"]).hex() == key["hash"]


def steps(address: bytes) -> list[str]:
    """The steps of an address, as `docs/formats/change.md` says."""
    found, rest = [], Reader(address)
    while rest.at < len(address):
        number = int.from_bytes(rest.take(2), "big")
        if number < 3:
            found.append(("#presence", "#position", "#content")[number])
        elif number == 3:
            found.append(f"?{rest.take(rest.byte()).decode()}")
        else:
            element = NAMES_FILE["elements"][str(number - 16)]
            found.append(element["path"])
            # A list's element is named by its key.
            if element["list"]:
                key = rest.take(10)
                found.append(f"{key[:8].hex()}.{int.from_bytes(key[8:], 'big')}")
    return found


def test_addresses() -> None:
    exchanged = {op.address for change in whole().changes.values() for op in change.operations}
    for told in NAMES_FILE["addresses"]:
        address = bytes.fromhex(told["bytes"])
        assert steps(address) == told["steps"]
        assert told["exchanged"] == (address in exchanged)


def test_a_change_by_hand() -> None:
    replica = Replica("patient-123", NAMES)
    (change_id,) = replica.read_batch(bytes.fromhex(SMALL["batch"]), DICTIONARY)
    (change,) = replica.changes.values()
    assert replica.keys[change.actor].nodes[""].hex() == SMALL["secret"]
    assert change.canonical().hex() == SMALL["operations"]
    keys = Keys({"": bytes.fromhex(SMALL["secret"])})
    commitment = change.commitment(keys, NAMES)
    assert commitment.hex() == SMALL["commitment"]
    assert change.header("patient-123", [], commitment).hex() == SMALL["header"]
    assert change_id.hex() == SMALL["id"]


def test_a_batch_in_columns_gives_the_ids() -> None:
    replica = Replica(RECORD, NAMES)
    found = replica.read_batch(bytes.fromhex(EXCHANGE["batches"]["all"]), DICTIONARY)
    assert sorted(hexes(found)) == sorted(ids(EXCHANGE["changes"]))
    for told in EXCHANGE["changes"]:
        assert bytes.fromhex(told["change"]) in replica.ids.values()
    told = {change["change"]: change for change in EXCHANGE["changes"]}
    for key, change in replica.changes.items():
        about = told[replica.ids[key].hex()]
        assert change.author == about["author"]
        assert (change.source is None) == (about["source"] is None)
        if change.source:
            assert change.source.feed == about["source"]["feed"]
            assert change.source.message.hex() == about["source"]["message"]


def test_a_batch_of_the_version_before_says_the_same() -> None:
    replica = Replica(RECORD, NAMES)
    replica.read_batch(bytes.fromhex(BEFORE["batches"]["all"]), DICTIONARY)
    assert replica.changes == whole().changes


def test_batches_of_one_change_give_the_ids() -> None:
    replica = Replica(RECORD, NAMES)
    for index, change in enumerate(EXCHANGE["changes"]):
        batch = bytes.fromhex(EXCHANGE["batches"][f"change_{index}"])
        assert hexes(replica.read_batch(batch, DICTIONARY)) == [change["change"]]
    assert replica.changes == whole().changes


def test_every_shape_is_in_the_vectors() -> None:
    batches = [*EXCHANGE["batches"].values(), *BEFORE["batches"].values()]
    heads = {(batch[3], batch[4]) for batch in map(bytes.fromhex, batches)}
    assert heads == {(3, 0), (3, 1), (3, 2), (3, 3), (4, 5)}
    spellings = whole().spellings | linked().replicas["p-2"].spellings
    assert {tag & 7 for tag in spellings} == set(range(7))
    assert {tag & bit for tag in spellings for bit in (0x08, 0x10, 0x20)} == {0, 0x08, 0x10, 0x20}


def test_a_batch_of_news_builds_on_what_is_there() -> None:
    replica = whole()
    news = bytes.fromhex(EXCHANGE["batches"]["since"])
    assert set(hexes(replica.read_batch(news, DICTIONARY))) < set(ids(EXCHANGE["changes"]))
    small = linked().replicas[RECORD]
    news = bytes.fromhex(EXCHANGE["batches"]["columns_not_deflated"])
    assert hexes(small.read_batch(news, DICTIONARY)) == ids(EXCHANGE["small"])[1:]


def test_a_coded_batch_gives_the_ids() -> None:
    replica = Replica(RECORD, NAMES)
    replica.read_batch(bytes.fromhex(EXCHANGE["batches"]["many_first"]), DICTIONARY)
    coded = bytes.fromhex(EXCHANGE["batches"]["many"])
    assert coded[4] == 5
    assert hexes(replica.read_batch(coded, DICTIONARY)) == ids(EXCHANGE["many"])[1:]
    with pytest.raises((Malformed, KeyError, UnicodeDecodeError)):
        Replica(RECORD, NAMES).read_batch(coded[:-1], DICTIONARY)


def linked() -> Link:
    """What a link has brought."""
    link = Link(NAMES, DICTIONARY)
    for message in EXCHANGE["link"]["messages"]:
        link.read(bytes.fromhex(message))
    return link


def test_messages_of_a_link_give_the_ids() -> None:
    link = linked()
    assert link.records == [RECORD, "p-2"]
    here = set(hexes(list(link.replicas[RECORD].ids.values())))
    assert here == {*ids(EXCHANGE["changes"]), *ids(EXCHANGE["small"])}
    other = hexes(list(link.replicas["p-2"].ids.values()))
    assert other == ids(EXCHANGE["link"]["other"])


def test_a_saved_record_is_its_log() -> None:
    saved = read_saved(bytes.fromhex(EXCHANGE["saved"]), NAMES, DICTIONARY)
    assert hexes(saved.log) == ids(EXCHANGE["changes"]) and saved.waiting == b""
    assert saved.replica.changes == whole().changes
    check_state(saved)


def test_waiting_changes_are_a_batch_in_the_saved_record() -> None:
    saved = read_saved(bytes.fromhex(EXCHANGE["saved_with_waiting"]), NAMES, DICTIONARY)
    check_state(saved)
    assert saved.waiting.startswith(b"CXB\x03")
    with pytest.raises(KeyError):
        # Its dependencies are not here.
        saved.replica.read_batch(saved.waiting, DICTIONARY)


def test_what_several_people_typed_is_read() -> None:
    about = EXCHANGE["texts"]
    replica = Replica(RECORD, NAMES)
    found = replica.read_batch(bytes.fromhex(about["batch"]), DICTIONARY)
    assert hexes(found) == ids(about["changes"])
    assert {tag & 7 for tag in replica.spellings} >= {0, 7}
    saved = read_saved(bytes.fromhex(about["saved"]), NAMES, DICTIONARY)
    assert hexes(saved.log) == ids(about["changes"])
    check_state(saved)
    ((_, address, root),) = saved.texts
    text = ""
    for change in replica.changes.values():
        for op in change.operations:
            if op.address != address:
                continue
            if op.tag == SET:
                text = json.loads(op.value)["text"]
            else:
                assert op.tag == EDITS and op.value.startswith(root)
                text = typed(text, read_edits(op.value.removeprefix(root)))
    assert text == about["text"]
    assert json.loads(*saved.texts.values())["text"] == text


def check_state(saved: Saved) -> None:
    """The state says of every change what the log says, and every live write is in the log."""
    for number, change_id in saved.ids.items():
        assert saved.log[number] == change_id
    by_number = {
        saved.log.index(saved.replica.ids[key]): change
        for key, change in saved.replica.changes.items()
    }
    for number, (actor, seq, time, author) in saved.stamps.items():
        change = by_number[number]
        assert (change.actor, change.seq, change.time, change.author) == (actor, seq, time, author)
    for number, past in saved.pasts.items():
        assert past == past_of(saved.replica, by_number[number])
    seen = {head for head in saved.heads}
    assert seen <= set(saved.ids)
    for (type_, entry), cells in saved.entries.items():
        for address, siblings in cells.items():
            for sibling in siblings:
                for number in sibling.changes:
                    writes = [
                        op.value
                        for op in by_number[number].operations
                        if (op.type, op.id, op.address, op.tag)
                        == (type_, entry, address, sibling.tag)
                    ]
                    if sibling.tag == EDITS:
                        assert any(value.startswith(sibling.value) for value in writes)
                        assert ((type_, entry), address, sibling.value) in saved.texts
                        continue
                    expected = sibling.value if sibling.tag in (SET, POSITION) else b""
                    assert expected in writes
                assert (sibling.op is not None) == (sibling.tag == SET)
                if sibling.op is not None:
                    change = by_number[sibling.changes[0]]
                    op = change.operations[change.indexes().index(sibling.op)]
                    assert (op.address, op.value) == (address, sibling.value)


def past_of(replica: Replica, change: Change) -> dict[bytes, int]:
    """By actor, the last change in a change's past."""
    past: dict[bytes, int] = {}
    todo = [*change.others, (change.actor, change.seq - 1)]
    while todo:
        actor, seq = todo.pop()
        if seq > past.get(actor, 0):
            past[actor] = seq
            before = replica.changes[actor, seq]
            todo += [*before.others, (actor, seq - 1)]
    return past


def test_canonical_operations_and_commitments() -> None:
    """They are on no wire; the ids, which hold them, were checked before they are compared."""
    replica = whole()
    made = {
        replica.ids[key].hex(): {
            "operations": change.canonical().hex(),
            "commitment": change.commitment(replica.keys[change.actor], NAMES).hex(),
        }
        for key, change in replica.changes.items()
    }
    assert set(made) == set(ids(EXCHANGE["changes"]))
    path = CRDT / "tests/vectors/operations.json"
    if os.environ.get("CLISONIX_WRITE_VECTORS"):
        path.write_text(json.dumps(made, indent=2) + "\n")
    assert json.loads(path.read_text()) == made


def test_ways_lead_to_keys() -> None:
    assert [way(seq) for seq in (1, 2, 3, 4, 7)] == ["0", "100", "101", "11000", "11011"]
    assert [way(1, index, 5) for index in (0, 4)] == ["0000", "0100"]
    assert len(way((1 << 32) - 1, (1 << 20) - 1, 1 << 20)) == 83


@pytest.mark.parametrize("step", ["value", "element", "all"])
def test_what_is_left_after_an_erasure_gives_the_same_ids(step: str) -> None:
    left = ERASURE[step]
    before = ids(ERASURE["before"])
    assert ids(left["changes"])[: len(before)] == before
    replica, single = Replica(RECORD, NAMES), Replica(RECORD, NAMES)
    assert hexes(replica.read_batch(bytes.fromhex(left["all"]), DICTIONARY)) == ids(left["changes"])
    for batch, told in zip(left["single"], left["changes"], strict=True):
        assert hexes(single.read_batch(bytes.fromhex(batch), DICTIONARY)) == [told["change"]]
    saved = read_saved(bytes.fromhex(left["saved"]), NAMES, DICTIONARY)
    assert hexes(saved.log) == ids(left["changes"])
    check_state(saved)
    for told, change in zip(left["changes"], replica.changes.values(), strict=True):
        assert told.get("erased", 0) == len(change.erased)
        assert ("erases" in told) == (change.order is not None)
        if change.order:
            erases = told["erases"]
            assert (change.order.reason, change.order.place) == (erases["reason"], erases["place"])
        for index in change.erased:
            with pytest.raises(KeyError):
                replica.keys[change.actor].key(way(change.seq, index, change.count()))


def test_damaged_bytes_are_refused_or_another_change() -> None:
    batch = bytes.fromhex(SMALL["batch"])
    for at in range(len(batch)):
        replica = Replica("patient-123", NAMES)
        damaged = bytes([*batch[:at], batch[at] ^ 1, *batch[at + 1 :]])
        try:
            assert hexes(replica.read_batch(damaged, DICTIONARY)) != [SMALL["id"]]
        except (Malformed, LookupError, UnicodeDecodeError, OverflowError):
            continue
