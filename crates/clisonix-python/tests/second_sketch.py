"""A second implementation of sketches.

Written from ``docs/formats/sketch.md`` alone, in the standard library's Python, so that two
programs that share no code read one format. SipHash is written from Aumasson and Bernstein,
"SipHash: a fast short-input PRF", 2012, with the 128-bit output of its authors.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & MASK


def _rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        v[0] = (v[0] + v[1]) & MASK
        v[1] = _rotate(v[1], 13) ^ v[0]
        v[0] = _rotate(v[0], 32)
        v[2] = (v[2] + v[3]) & MASK
        v[3] = _rotate(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & MASK
        v[3] = _rotate(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & MASK
        v[1] = _rotate(v[1], 17) ^ v[2]
        v[2] = _rotate(v[2], 32)


def siphash(key: bytes, text: bytes) -> bytes:
    """SipHash-2-4 with 16 bytes of output."""
    k0, k1 = (int.from_bytes(part, "little") for part in (key[:8], key[8:]))
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D ^ 0xEE,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xEE
    _rounds(v, 4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    _rounds(v, 4)
    second = v[0] ^ v[1] ^ v[2] ^ v[3]
    return first.to_bytes(8, "little") + second.to_bytes(8, "little")


def epoch_key(secret: bytes, epoch: int) -> bytes:
    return siphash(secret, b"clisonix sketch\0" + epoch.to_bytes(8, "big"))


def name_hash(key: bytes, record: str) -> bytes:
    return siphash(key, record.encode() + b"\xfe")


def entry(key: bytes, record: str, version: bytes) -> bytes:
    whole = siphash(key, record.encode() + b"\xff" + version)
    return whole[:5] + name_hash(key, record)[:3] + whole[8:]


def name_check(key: bytes, record: str) -> int:
    return int.from_bytes(name_hash(key, record)[4:8], "little")


def entry_id(entry: bytes) -> int:
    return int.from_bytes(entry[:8], "little")


def set_hash(entries: Iterable[bytes]) -> int:
    return sum(int.from_bytes(entry, "little") for entry in entries) % 2**128


def mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def check(e: int) -> int:
    return mix(e) >> 32


def places(e: int, end: int) -> Iterator[int]:
    """The places of an entry below ``end``."""
    place, n = 0, 1
    while place < end:
        yield place
        draw = (mix((e + n * GAMMA) & MASK) >> 32) + 1
        reach = float(place + 1) * float(place + 2) * (4294967296.0 / float(draw))
        place = max(place + 1, math.ceil(math.sqrt(reach + 0.25) - 1.5))
        n += 1


Symbol = tuple[int, int, int]


def symbols(ids: Iterable[int], count: int) -> list[Symbol]:
    """The first symbols of a set."""
    row = [(0, 0, 0)] * count
    for e in ids:
        for place in places(e, count):
            total, checks, number = row[place]
            row[place] = (total ^ e, checks ^ check(e), (number + 1) % 256)
    return row


def write_symbols(row: Iterable[Symbol]) -> bytes:
    return b"".join(
        total.to_bytes(8, "big") + checks.to_bytes(4, "big") + bytes([number])
        for total, checks, number in row
    )


def difference(theirs: Sequence[Symbol], ours: Sequence[Symbol]) -> tuple[set[int], set[int]] | None:
    """The ids that only ours and only theirs have; ``None`` if the symbols do not suffice."""
    row = [
        (a ^ b, c ^ d, (m - n) % 256)
        for (a, c, m), (b, d, n) in zip(theirs, ours, strict=True)
    ]
    found: tuple[set[int], set[int]] = (set(), set())
    ready = list(range(len(row)))
    while ready:
        total, checks, number = row[ready.pop()]
        if number not in (1, 255) or checks != check(total):
            continue
        found[number == 1].add(total)
        for place in places(total, len(row)):
            a, b, n = row[place]
            row[place] = (a ^ total, b ^ checks, (n - number) % 256)
            ready.append(place)
    return found if row[0] == (0, 0, 0) else None
