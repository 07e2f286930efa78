"""Pairing codes as ``docs/formats/pairing.md`` describes them, made again from that page alone."""

import hashlib
import hmac
import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "pairing.md"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS = 6


def product(left: int, right: int) -> int:
    """Of two values of GF(2)[x]/(x^5 + x^2 + 1)."""
    result = 0
    while right:
        if right & 1:
            result ^= left
        left <<= 1
        if left & 0b10_0000:
            left ^= 0b10_0101
        right >>= 1
    return result


def check(group: int, told: list[int]) -> int:
    result, weight = group, 1
    for value in reversed(told):
        weight = product(weight, 2)
        result ^= product(value, weight)
    return result


def code(secret: bytes, fingerprint: bytes) -> str:
    text = b"clisonix pairing code 1\0" + fingerprint
    told = secret + hmac.digest(secret, text, hashlib.sha384)[:10]
    number = int.from_bytes(told, "big")
    values = [number >> 5 * place & 31 for place in reversed(range(24))]
    groups = [values[4 * group : 4 * group + 4] for group in range(GROUPS)]
    return "-".join(
        "".join(ALPHABET[value] for value in [*told, check(group, told)])
        for group, told in enumerate(groups)
    )


def test_the_codes_of_the_page() -> None:
    row = re.compile(r"^\| `([0-9a-f ]+)` \| 32 bytes `([0-9a-f]{2})` \| `([0-9A-Z-]+)` \|$", re.M)
    rows = row.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == 2
    for secret, byte, expected in rows:
        assert code(bytes.fromhex(secret), bytes.fromhex(byte) * 32) == expected
