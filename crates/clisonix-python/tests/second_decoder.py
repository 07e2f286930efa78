"""A second decoder of changes, batches, links and saved records.

Written from ``docs/formats/change.md`` and ``docs/formats/record.md`` alone, in the standard
library's Python, so that two programs that share no code read one format.
"""

import hashlib
import hmac
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Operations, canonical form.
SET, POSITION, MARK, KEEP, STATED, EDITS = range(6)
SAME_ENTRY = 8


class Malformed(ValueError):
    """Bytes that the format does not allow."""


class Reader:
    """A cursor over bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if self.at + length > len(self.data):
            raise Malformed("truncated")
        self.at += length
        return self.data[self.at - length : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if (byte == 0 and shift > 0) or value >> 64:
            raise Malformed("not the shortest form of a number")
        return value

    def signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def sized(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return self.sized().decode()

    def numbers(self) -> list[int]:
        return [self.number() for _ in range(self.number())]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        if self.at != len(self.data):
            raise Malformed("bytes remain")


def number(value: int) -> bytes:
    if value < 0 or value >> 64:
        raise Malformed("no unsigned number of 64 bits")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(data: bytes) -> bytes:
    return number(len(data)) + data


def inflate(data: bytes, length: int, dictionary: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=-15, zdict=dictionary[-(1 << 15) :])
    out = unpacker.decompress(data) + unpacker.flush()
    if len(out) != length or not unpacker.eof or unpacker.unused_data:
        raise Malformed("compressed bytes")
    return out


class Fields:
    """Which statistics hold for the next byte of a coded run, as far as the bytes before tell."""

    HEAD, SHAPE, GRAPH, TIME, ORIGIN, COUNT, TAG, ACTOR, SEQ, OP, PREFIX, SUFFIX = range(12)
    TYPE, ID_LENGTH, ID, SHARED, ADDRESS_LENGTH, ADDRESS, VALUE_LENGTH, VALUE = range(12, 20)

    def __init__(self) -> None:
        self.field = self.HEAD
        self.last = 0
        self.spelled = b""
        self.heads: list[int] = []
        self.left: list[int] = []
        self.column = 0
        self.shapes: list[int] = []
        self.changes = self.operations = self.tag = self.rest = 0

    def statistics(self) -> int:
        if self.field in (self.VALUE, self.GRAPH):
            return (32 if self.field == self.VALUE else 40) + self._class(chr(self.last))
        return self.field

    @staticmethod
    def _class(last: str) -> int:
        kinds = (
            "0123456789",
            "bcdfghjklmnpqrstvwxyz",
            "aeiou",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            " ",
            '"',
            "-./:",
        )
        return next((number for number, kind in enumerate(kinds, 1) if last in kind), 0)

    def take(self, byte: int) -> None:
        self.last = byte
        value = self._value(byte)
        if self.field == self.HEAD:
            if value is not None:
                self.heads.append(value)
            if len(self.heads) == 6:
                self.left = self.heads[1:]
                self._enter(0)
            return
        if self.field == self.SHAPE:
            self.shapes.append(byte)
        if self.column < 5:
            self.left[self.column] -= 1
            if not self.left[self.column]:
                return self._enter(self.column + 1)
        if value is not None:
            self.field = self._after(value)

    def _value(self, byte: int) -> int | None:
        """What the field says, if the byte ends it."""
        if self.field in (self.ID, self.ADDRESS, self.VALUE):
            self.rest -= 1
            return None if self.rest else 0
        if self.field in (self.SHAPE, self.GRAPH, self.TIME, self.ORIGIN, self.TAG):
            return byte
        self.spelled += bytes([byte])
        if byte >= 0x80:
            return None
        spelled, self.spelled = self.spelled, b""
        return sum((part & 0x7F) << 7 * at for at, part in enumerate(spelled[:9]))

    def _enter(self, column: int) -> None:
        while column < 5 and not self.left[column]:
            column += 1
        self.column, self.spelled = column, b""
        if column == 4:
            self.field = self._change()
        else:
            fields = (self.SHAPE, self.GRAPH, self.TIME, self.ORIGIN, 0, self.VALUE_LENGTH)
            self.field = fields[column]

    def _change(self) -> int:
        at, self.changes, self.operations = self.changes, self.changes + 1, 1
        return self.TAG if at >= len(self.shapes) or self.shapes[at] & 16 else self.COUNT

    def _operation(self) -> int:
        self.operations -= 1
        return self.TAG if self.operations > 0 else self._change()

    def _after(self, value: int) -> int:
        match self.field:
            case self.COUNT:
                self.operations = value
                return self.TAG if value else self._change()
            case self.TAG:
                self.tag = value
                if value & 0x20:
                    return self.ACTOR
                return self.SHARED if value & 8 else self.TYPE
            case self.OP if self.tag & 7 != 2:
                return self._operation()
            case self.SUFFIX | self.ADDRESS:
                return self._operation()
            case self.TYPE:
                return self.SHARED if self.tag & 0x10 else self.ID_LENGTH
            case self.ID_LENGTH | self.ADDRESS_LENGTH | self.VALUE_LENGTH if value:
                self.rest = value
                return self.field + 1
            case self.ID_LENGTH:
                return self.SHARED
            case self.ADDRESS_LENGTH:
                return self._operation()
            case self.VALUE_LENGTH | self.VALUE:
                return self.VALUE_LENGTH
            case self.ACTOR | self.SEQ | self.OP | self.PREFIX | self.ID | self.SHARED:
                return self.field + 1
        return self.field


def uncoded(data: bytes, length: int) -> bytes:
    """Undoes the arithmetic coding of a run in columns."""
    if length > 4096:
        raise Malformed("coded bytes")
    ones: dict[tuple[int, int], tuple[int, int]] = {}
    fields, out = Fields(), bytearray()
    low, high, at = 0, 0xFFFFFFFF, 0
    code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
    while len(out) < length:
        node = 1
        while node < 256:
            one, seen = ones.get((fields.statistics(), node), (1 << 15, 0))
            size, chance = high - low, one >> 4
            middle = low + (size >> 12) * chance + ((size & 0xFFF) * chance >> 12)
            bit = code <= middle
            low, high = (low, middle) if bit else (middle + 1, high)
            one += (0xFFFF * bit - one) * (0x20000 // (2 * seen + 3)) >> 16
            learnt = (min(max(one, 512), 0x10000 - 512), min(seen + 1, 30))
            ones[fields.statistics(), node] = learnt
            node = node << 1 | bit
            while low >> 24 == high >> 24:
                low, high = low << 8 & 0xFFFFFFFF, high << 8 & 0xFFFFFFFF | 0xFF
                code = code << 8 & 0xFFFFFFFF | int.from_bytes(data[at + 4 : at + 5], "big")
                at += 1
        out.append(node & 0xFF)
        fields.take(node & 0xFF)
    if at + 1 != len(data):
        raise Malformed("coded bytes")
    return bytes(out)


@dataclass(frozen=True)
class TextRun:
    """Characters inserted or deleted in a row, at the positions that ``kind`` says."""

    kind: int
    position: int
    count: int
    content: str = ""


INSERT, DELETE_ON, DELETE_BACK = range(3)


def read_edits(data: bytes) -> list[TextRun]:
    """The edits of a text, in order."""
    reader = Reader(data)
    events = reader.number()
    heads, expected = [], 0
    for _ in range(reader.number()):
        head = reader.number()
        count, kind = head >> 2, head & 3
        position = expected + reader.signed()
        if not count or kind > DELETE_BACK or position < 0:
            raise Malformed("run of edits")
        expected = position + {INSERT: count, DELETE_ON: 0, DELETE_BACK: -count}[kind]
        heads.append((kind, position, count))
    content = reader.sized().decode()
    reader.end()
    runs, at = [], 0
    for kind, position, count in heads:
        length = count if kind == INSERT else 0
        runs.append(TextRun(kind, position, count, content[at : at + length]))
        at += length
    if not events or sum(run.count for run in runs) != events or at != len(content):
        raise Malformed("edits")
    return runs


def typed(text: str, runs: Sequence[TextRun]) -> str:
    """A text after edits that have seen all of it."""
    for run in runs:
        at = run.position - (run.count - 1 if run.kind == DELETE_BACK else 0)
        end = at if run.kind == INSERT else at + run.count
        if at < 0 or end > len(text):
            raise Malformed("position")
        text = text[:at] + run.content + text[end:]
    return text


def key_hash(parts: Sequence[str]) -> bytes:
    """Key hash of a list element."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return digest.digest()[:8]


@dataclass(frozen=True)
class Names:
    """What of FHIR's schema the format names by number."""

    types: Mapping[int, str]
    elements: Mapping[int, str]
    """Paths; the last name of one is the JSON name."""


@dataclass(frozen=True)
class Operation:
    type: int
    id: str
    address: bytes
    tag: int
    value: bytes = b""


@dataclass(frozen=True)
class Source:
    feed: str
    message: bytes
    event_time: int


@dataclass(frozen=True)
class Order:
    """What a change orders to be erased."""

    reason: str
    place: str
    runs: list[tuple[bytes, int, int, int]]
    """Actor, sequence number, first operation, number of operations; none: all of the past."""

    def canonical(self) -> bytes:
        out = sized(self.reason.encode()) + sized(self.place.encode()) + number(len(self.runs))
        for actor, *numbers in self.runs:
            out += actor + b"".join(map(number, numbers))
        return out


def way(seq: int, index: int = 0, count: int = 1) -> str:
    """The way from an actor's root to the key of an operation."""
    digits = seq.bit_length() - 1
    rest = f"{seq:b}"[1:]
    last = f"{index:0{(count - 1).bit_length()}b}" if count > 1 else ""
    return "1" * digits + "0" + rest + last


class Keys:
    """What is left of an actor's tree of keys."""

    def __init__(self, nodes: Mapping[str, bytes]) -> None:
        self.nodes = dict(nodes)

    @classmethod
    def read(cls, reader: "Reader") -> "Keys":
        nodes: dict[str, bytes] = {}
        last = ""
        for index in range(reader.number()):
            length = reader.byte()
            spelled = reader.take((length + 7) // 8)
            bits = "".join(f"{byte:08b}" for byte in spelled)
            if length > 83 or "1" in bits[length:]:
                raise Malformed("way")
            if index and (bits[:length] <= last or bits[:length].startswith(last)):
                raise Malformed("order of keys")
            last = bits[:length]
            nodes[last] = reader.take(32)
        return cls(nodes)

    def key(self, to: str) -> bytes:
        for start, key in self.nodes.items():
            if to.startswith(start):
                for branch in to[len(start) :]:
                    key = hashlib.sha256(b"clisonix keys 3\0" + bytes([int(branch)]) + key).digest()
                return key
        raise KeyError(to)


@dataclass
class Change:
    actor: bytes
    seq: int
    others: list[tuple[bytes, int]]
    """Dependencies but the actor's previous change."""
    time: int
    author: str
    source: Source | None
    operations: list[Operation] = field(default_factory=list)
    """Those that have content."""
    order: Order | None = None
    erased: dict[int, bytes] = field(default_factory=dict)
    """Commitments of the others, by index."""

    def indexes(self) -> list[int]:
        """The indexes of the operations that have content."""
        return [index for index in range(self.count()) if index not in self.erased]

    def count(self) -> int:
        return len(self.operations) + len(self.erased)

    def canonical(self) -> bytes:
        out, before = number(len(self.operations)), None
        for op in self.operations:
            entry = (op.type, op.id)
            if entry == before:
                out += bytes([op.tag | SAME_ENTRY])
            else:
                out += bytes([op.tag]) + number(op.type) + sized(op.id.encode())
            out += sized(op.address)
            if op.tag in (SET, POSITION, EDITS):
                out += sized(op.value)
            before = entry
        return out

    def commitment(self, keys: Keys, names: Names) -> bytes:
        commitments = dict(self.erased)
        for index, op in zip(self.indexes(), self.operations, strict=True):
            said = sized(names.types[op.type].encode()) + sized(op.id.encode())
            said += sized(op.address) + bytes([op.tag]) + op.value
            commitments[index] = _hmac(keys.key(way(self.seq, index, self.count())), said)
        together = b"".join(commitments[index] for index in range(self.count()))
        return hashlib.sha256(together).digest()

    def header(self, record: str, dependencies: Sequence[bytes], commitment: bytes) -> bytes:
        out = b"clisonix change 3\0" + sized(record.encode()) + self.actor + number(self.seq)
        out += number(len(dependencies)) + b"".join(sorted(dependencies))
        out += number(self.time) + sized(self.author.encode())
        if self.source is None:
            out += b"\0"
        else:
            out += b"\1" + sized(self.source.feed.encode()) + self.source.message
            out += number(self.source.event_time)
        out += b"\0" if self.order is None else b"\1" + self.order.canonical()
        return out + commitment


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


@dataclass
class _Actor:
    id: bytes
    last_seq: int = 0
    author: str | None = None


class Numbering:
    """What both ends know of each other's numbers."""

    def __init__(self, actors: Sequence[bytes] = (), names: Sequence[str] = ()) -> None:
        self.actors = [_Actor(actor) for actor in actors]
        self.names = list(names)
        self.actor = 0
        self.time = 0
        self.event_time = 0
        self.message = bytes(16)

    def read_actor(self, reader: Reader) -> int:
        index = reader.number()
        if index == len(self.actors):
            self.actors.append(_Actor(reader.take(16)))
        if index > len(self.actors):
            raise Malformed("actor")
        return index

    def read_name(self, reader: Reader) -> str:
        index = reader.number()
        if index == len(self.names):
            self.names.append(reader.text())
        return self.names[index]


class Replica:
    """The changes of one record, with what is needed to complete and to name others."""

    def __init__(self, record: str, names: Names) -> None:
        self.record = record
        self.names = names
        self.keys: dict[bytes, Keys] = {}
        self.changes: dict[tuple[bytes, int], Change] = {}
        self.ids: dict[tuple[bytes, int], bytes] = {}
        self.spellings: set[int] = set()
        """Tags of the operations that were read."""

    def read_batch(self, data: bytes, dictionary: bytes) -> list[bytes]:
        """The ids of the changes in a batch whose past is here."""
        reader = Reader(data)
        if reader.take(3) != b"CXB":
            raise Malformed("not a batch")
        version, flags = reader.byte(), reader.byte()
        if version not in (3, 4) or flags > (5 if version == 4 else 3):
            raise Malformed("not a batch")
        if reader.text() != self.record:
            raise Malformed("another record")
        if flags == 5:
            length = reader.number()
            return self.read_run(Reader(uncoded(reader.rest(), length)), True, Numbering())
        return self.read_flagged(reader, flags, Numbering(), dictionary)

    def read_flagged(
        self, reader: Reader, flags: int, numbering: Numbering, dictionary: bytes
    ) -> list[bytes]:
        if flags & 2:
            length = reader.number()
            reader = Reader(inflate(reader.rest(), length, dictionary))
        return self.read_run(reader, bool(flags & 1), numbering)

    def read_run(self, reader: Reader, in_columns: bool, numbering: Numbering) -> list[bytes]:
        count = reader.number()
        columns = [reader] * 6
        if in_columns:
            lengths = [reader.number() for _ in range(5)]
            columns = [Reader(reader.take(length)) for length in lengths]
            columns.append(Reader(reader.rest()))
        changes = [self._read_change(columns, numbering) for _ in range(count)]
        for column in columns:
            column.end()
        return [self.identify(change) for change in changes]

    def identify(self, change: Change) -> bytes:
        """The change's id, computed from its content and from the ids of its dependencies."""
        key = (change.actor, change.seq)
        before = [*change.others, *([(change.actor, change.seq - 1)] if change.seq > 1 else [])]
        commitment = change.commitment(self.keys[change.actor], self.names)
        dependencies = [self.ids[dependency] for dependency in before]
        header = change.header(self.record, dependencies, commitment)
        self.ids[key] = hashlib.sha256(header).digest()
        return self.ids[key]

    def _read_change(self, columns: Sequence[Reader], numbering: Numbering) -> Change:
        shapes, graph, times, origins, ops, values = columns
        shape = shapes.byte()
        index = numbering.actor if shape & 1 else numbering.read_actor(graph)
        actor = numbering.actors[index]
        more = graph.byte() if shape & 128 else 0
        if (shape & 128 and not more) or more > 7 or (more & 4 and not shape & 64):
            raise Malformed("more of a change")
        if shape & 64:
            self.keys[actor.id] = Keys.read(graph) if more & 4 else Keys({"": graph.take(32)})
        seq = actor.last_seq + 1 + (0 if shape & 2 else graph.signed())
        others = []
        if not shape & 4:
            for _ in range(graph.number()):
                other = numbering.actors[numbering.read_actor(graph)].id
                others.append((other, graph.number()))
        order = self._read_order(graph, numbering) if more & 1 else None
        erased, gone = {}, -1
        for _ in range(graph.number() if more & 2 else 0):
            gone += graph.number() + 1
            erased[gone] = graph.take(32)
        if shape & 32:
            time = numbering.time + 1
        else:
            milliseconds = (numbering.time >> 16) + times.signed()
            time = milliseconds << 16 | times.number()
        source = None
        if shape & 8:
            if actor.author is None:
                raise Malformed("no author before")
            author = actor.author
        else:
            author = numbering.read_name(origins)
            source = self._read_source(origins, numbering)
        actor.last_seq, actor.author = seq, author if source is None else None
        numbering.actor, numbering.time = index, time
        change = Change(actor.id, seq, others, time, author, source, [], order, erased)
        self.changes[actor.id, seq] = change
        before = None
        for _ in range(1 if shape & 16 else ops.number()):
            op, is_based = self._read_operation(ops, values, numbering, before)
            change.operations.append(op)
            before = None if is_based else op
        return change

    @staticmethod
    def _read_order(graph: Reader, numbering: Numbering) -> Order:
        reason, place, runs = graph.text(), graph.text(), []
        for _ in range(graph.number()):
            actor = numbering.actors[numbering.read_actor(graph)].id
            runs.append((actor, graph.number(), graph.number(), graph.number()))
        return Order(reason, place, runs)

    @staticmethod
    def _read_source(origins: Reader, numbering: Numbering) -> Source | None:
        kind = origins.byte()
        if kind == 0:
            return None
        if kind == 2:
            numbering.message = origins.take(16)
        feed = numbering.read_name(origins)
        numbering.event_time += origins.signed()
        return Source(feed, numbering.message, numbering.event_time)

    def _read_operation(
        self, ops: Reader, values: Reader, numbering: Numbering, before: Operation | None
    ) -> tuple[Operation, bool]:
        tag = ops.byte()
        self.spellings.add(tag)
        base = None
        root = b""
        if tag & 0x20:
            actor = numbering.actors[numbering.read_actor(ops)].id
            seq, index = ops.number(), ops.number()
            root = actor + number(seq) + number(index)
            change = self.changes[actor, seq]
            base = change.operations[change.indexes().index(index)]
            type_, entry, address = base.type, base.id, base.address
        else:
            if tag & 0x08:
                if before is None:
                    raise Malformed("no entry before")
                type_, entry = before.type, before.id
            else:
                type_ = ops.number()
                entry = self.record if tag & 0x10 else ops.text()
            shared = ops.number()
            last = before.address if before and tag & 0x08 else b""
            if shared > len(last):
                raise Malformed("shared length")
            address = last[:shared] + ops.sized()
        kind = tag & 7
        if kind == 2:
            prefix, suffix = ops.number(), ops.number()
            if base is None:
                raise Malformed("nothing to splice")
            end = len(base.value) - suffix
            value = base.value[:prefix] + values.sized() + base.value[end:]
            return Operation(type_, entry, address, SET, value), True
        value = values.sized() if kind in (0, 1, 3, 7) else b""
        if kind == 7:
            if base is not None and base.tag != SET:
                raise Malformed("no text to edit")
            if base is None:
                named = Reader(value)
                root = named.take(16) + number(named.number()) + number(named.number())
                value = named.rest()
            read_edits(value)
            value = root + value
        if kind == 1:
            element = int.from_bytes(address[-2:], "big") - 16
            name = self.names.elements[element].rsplit(".", 1)[-1]
            value = f'"{name}":'.encode() + value
        canonical = (SET, SET, None, POSITION, MARK, KEEP, STATED, EDITS)[kind]
        if canonical is None:
            raise Malformed("operation")
        return Operation(type_, entry, address, canonical, value), base is not None


class Link:
    """The receiving end of a link."""

    def __init__(self, names: Names, dictionary: bytes) -> None:
        self.names = names
        self.dictionary = dictionary
        self.numbering = Numbering()
        self.records: list[str] = []
        self.replicas: dict[str, Replica] = {}

    def read(self, message: bytes) -> list[bytes]:
        reader = Reader(message)
        head = reader.number()
        if head >> 2 == len(self.records):
            self.records.append(reader.text())
        record = self.records[head >> 2]
        replica = self.replicas.setdefault(record, Replica(record, self.names))
        return replica.read_flagged(reader, head & 3, self.numbering, self.dictionary)


@dataclass(frozen=True)
class Sibling:
    changes: list[int]
    tag: int
    covered: int
    value: bytes
    op: int | None = None


@dataclass
class Saved:
    """A saved record, taken apart."""

    replica: Replica
    log: list[bytes]
    """Ids of the changes, in order of their numbers, computed from the log."""
    heads: list[int]
    ids: dict[int, bytes]
    pasts: dict[int, dict[bytes, int]]
    """Of concurrent heads of entries and heads of feeds: by actor, the last change that was seen."""
    stamps: dict[int, tuple[bytes, int, int, str]]
    """By change: actor, sequence number, time, author."""
    entries: dict[tuple[int, str], dict[bytes, list[Sibling]]]
    waiting: bytes
    texts: dict[tuple[tuple[int, str], bytes, bytes], str]
    """By entry, address and root (as in an operation): the cell's text."""


def read_saved(data: bytes, names: Names, dictionary: bytes) -> Saved:
    reader = Reader(data)
    if reader.take(4) not in (b"CXR\x03", b"CXR\x04"):
        raise Malformed("not a saved record")
    checksum = reader.take(4)
    if zlib.crc32(data[8:]).to_bytes(4, "big") != checksum:
        raise Malformed("checksum")
    length = reader.number()
    state = inflate(reader.sized(), length, dictionary)
    count, length = reader.number(), reader.number()
    log = inflate(reader.sized(), length, state)
    waiting = reader.sized()
    reader.end()
    return _read_state(Reader(state), log, count, waiting, names)


def _read_state(reader: Reader, log: bytes, count: int, waiting: bytes, names: Names) -> Saved:
    replica = Replica(reader.text(), names)
    actors = []
    for _ in range(reader.number()):
        actor = reader.take(16)
        replica.keys[actor] = Keys.read(reader)
        actors.append((actor, reader.number(), reader.number()))
    authors = [reader.text() for _ in range(reader.number())]
    feeds = [reader.text() for _ in range(reader.number())]
    for _ in range(reader.number()):
        feeds[reader.number()]
        reader.take(16)
    stamps, change, time = {}, 0, 0
    for _ in range(reader.number()):
        change += reader.number()
        actor, seq = actors[reader.number()][0], reader.number()
        time += reader.signed()
        stamps[change] = (actor, seq, time, authors[reader.number()])
        if reader.number():
            reader.number()
    reader.number()
    heads = reader.numbers()
    ids = {reader.number(): reader.take(32) for _ in range(reader.number())}
    pasts = {
        reader.number(): {reader.number(): reader.number() for _ in range(reader.number())}
        for _ in range(reader.number())
    }
    for _ in range(reader.number()):
        reader.number()
        reader.take(16)
        if any(head not in stamps for head in reader.numbers()):
            raise Malformed("last change of a feed")
    entries = {}
    for _ in range(reader.number()):
        entry = (reader.number(), reader.text() or replica.record)
        if len(reader.numbers()) > 1 and reader.take(1) != b"\0":
            reader.take(4)
        entries[entry] = _read_cells(Reader(reader.sized()), [actor for actor, _, _ in actors])
    texts = {}
    for _ in range(reader.number() if reader.at < len(reader.data) else 0):
        entry = (reader.number(), reader.text() or replica.record)
        address = reader.sized()
        root = _read_root(reader, [actor for actor, _, _ in actors])
        texts[entry, address, root] = reader.text()
    reader.end()
    numbering = Numbering([actor for actor, _, _ in actors], [*authors, *feeds])
    run = replica.read_run(Reader(log), True, numbering)
    if len(run) != count:
        raise Malformed("number of changes")
    for actor, seq, change in actors:
        if seq and run[change] != replica.ids[actor, seq]:
            raise Malformed("last change of an actor")
    past = {
        change: {actors[actor][0]: seq for actor, seq in past.items()}
        for change, past in pasts.items()
    }
    return Saved(replica, run, heads, ids, past, stamps, entries, waiting, texts)


def _read_root(reader: Reader, actors: Sequence[bytes]) -> bytes:
    """A root as an operation names it."""
    return actors[reader.number()] + number(reader.number()) + number(reader.number())


def _read_cells(reader: Reader, actors: Sequence[bytes]) -> dict[bytes, list[Sibling]]:
    cells: dict[bytes, list[Sibling]] = {}
    last = b""
    while reader.at < len(reader.data):
        cell = Reader(reader.sized())
        address = cell.sized()
        if address <= last:
            raise Malformed("order of cells")
        last = address
        count = cell.number()
        cells[address] = [_read_sibling(cell, actors) for _ in range(count >> 1)]
        for _ in range(cell.number() if count & 1 else 0):
            cell.number()
            cell.number()
            cell.take(16 + 8)
        cell.end()
    return cells


def _read_sibling(cell: Reader, actors: Sequence[bytes]) -> Sibling:
    changes, tag = [cell.number()], cell.byte()
    if tag & 4:
        changes += cell.numbers()
    covered = cell.number() if tag & 8 else 0
    kind = tag & ~44
    if tag & 32 and kind != SET:
        raise Malformed("index of an operation")
    op = cell.number() if tag & 32 else None
    if kind == 16:
        return Sibling(changes, EDITS, covered, _read_root(cell, actors))
    if kind > KEEP:
        raise Malformed("sibling")
    value = cell.sized() if kind in (SET, POSITION) else b""
    return Sibling(changes, kind, covered, value, op)
