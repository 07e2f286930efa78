"""Sealed shares: data for named recipients and a purpose, signed by who gives it.

    >>> from clisonix import pq
    >>> clinic, lab = pq.Keys.generate('clinic'), pq.Keys.generate('lab')
    >>> manifest = pq.seal(b'a report', 'x.share', keys=clinic, to=[lab.public()], until='none',
    ...                    purpose='second opinion', basis='consent', name='report.txt')
    >>> pq.open('x.share', keys=lab, trust=pq.Trust([clinic.public()])).content
    b'a report'

A share is the file that ``clisonix seal`` and ``clisonix open`` know: a post-quantum age file and a
signed manifest, which everyone can read. Nobody is trusted by default, and nothing comes out of a
share that is not signed by somebody trusted. Sealing, opening and verifying leave other threads of
Python running, and take the same memory for a file of any size.
"""

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clisonix import _native
from clisonix._native import Keys, PublicKeys

__all__ = [
    "Keys",
    "Manifest",
    "Opened",
    "PublicKeys",
    "Trust",
    "open",
    "seal",
    "verify",
]

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Manifest:
    """What the issuer of a share states. Everyone who has the file can read it."""

    share: str
    """What stands for the share, 32 hexadecimal digits."""
    issuer: str
    """Fingerprint of the key that signed, 64 hexadecimal digits."""
    created: datetime.datetime
    """When it was made, by the issuer's clock."""
    until: datetime.datetime | None
    """The last second in which it may be opened."""
    purpose: str
    basis: str
    """The consent or the legal basis."""
    content: str
    """What it holds."""
    previous: str | None
    """Digest of the issuer's manifest before this one."""
    recipients: int
    """How many recipients it has, those that only hide the number counted in."""
    payload_bytes: int
    root: str
    """BLAKE3 of the payload."""
    digest: str
    """What the issuer's next manifest names as ``previous``."""


@dataclass(frozen=True)
class Opened:
    """A share that was opened."""

    manifest: Manifest
    name: str
    """How the sender calls the content; no path."""
    content: bytes | None
    """The content, where it was not written to a file."""


class Trust:
    """Whose shares are taken: those that ``issuers`` sign, public keys or their files.
    ``statements`` are files of theirs: a revocation (``clisonix keys export --what revocation``; what a
    revoked key signed is refused whatever its date) or the withdrawal of a share
    (``clisonix shares withdraw``)."""

    def __init__(
        self, issuers: Iterable[PublicKeys | Path], statements: Iterable[Path] = ()
    ) -> None:
        keys = [it if isinstance(it, PublicKeys) else PublicKeys.load(it) for it in issuers]
        self._native = _native.Trust(keys, [os.fspath(path) for path in statements])


def seal(
    source: bytes | Path,
    out: Path,
    *,
    keys: Keys,
    to: Sequence[PublicKeys | str],
    purpose: str,
    basis: str,
    until: datetime.date | str,
    content: str = "not described",
    name: str | None = None,
    hide_recipients: bool = False,
    hide_size: bool = False,
    ledger: Path | None = None,
) -> Manifest:
    """Seals ``source``, bytes or the path of a file, into the new file ``out``.

    ``keys`` sign; ``to`` are public keys or texts ``age1pq1...``. ``until`` is the last day, a moment
    with its offset, or ``'none'``. ``name`` is how recipients see the content called; of a file its
    own name if none is given. ``ledger`` is a file that gets a line about the share, such as
    ``shares.ledger`` of a data directory; its last share is then named as ``previous``.

    :raises ShareError: words, recipients or sizes that a share cannot have.
    :raises OSError: a file that cannot be read or written, ``FileExistsError`` if ``out`` is there.
    """
    if not isinstance(source, bytes):
        source = os.fspath(source)
        name = os.path.basename(source) if name is None else name
    order: _native._Order = {
        "until": _until(until),
        "purpose": purpose,
        "basis": basis,
        "content": content,
        "name": "content" if name is None else name,
        "hide_recipients": hide_recipients,
        "hide_size": hide_size,
        "ledger": _path(ledger),
    }
    return _manifest(_native.seal(source, os.fspath(out), keys, list(to), order))


def open(
    share: Path,
    out: Path | None = None,
    *,
    keys: Keys | Sequence[Keys],
    trust: Trust,
    ledger: Path | None = None,
) -> Opened:
    """Opens a share into the new file ``out``, or into bytes without it.

    All of it is verified before this returns; after an exception there is no file. ``keys`` are the own
    ones, of several generations if need be.

    :raises ShareRefused: not signed, not trusted, revoked, expired, not for these keys.
    :raises ShareDamaged: not as it was signed, or no share.
    """
    own = [keys] if isinstance(keys, Keys) else list(keys)
    stated, name, content = _native.open(
        os.fspath(share), _path(out), own, trust._native, _path(ledger)
    )
    return Opened(_manifest(stated), name, content)


def verify(share: Path, *, trust: Trust) -> Manifest:
    """Verifies every byte of a share without any secret key, and says what its issuer states.

    :raises ShareRefused: not signed, not trusted, revoked, expired.
    :raises ShareDamaged: not as it was signed, or no share.
    """
    return _manifest(_native.verify(os.fspath(share), trust._native))


def _path(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _until(until: datetime.date | str) -> str | None:
    if isinstance(until, datetime.datetime):
        if until.tzinfo is None:
            raise ValueError("a moment needs its offset from universal time")
        utc = until.astimezone(datetime.UTC)
        return utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(until, datetime.date):
        return until.isoformat()
    return None if until == "none" else until


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _manifest(stated: "_native._Stated") -> Manifest:
    share, issuer, created, until = stated[:4]
    purpose, basis, content, previous, recipients, payload_bytes, root, digest = stated[4:]
    return Manifest(
        share=share,
        issuer=issuer,
        created=_moment(created),
        until=None if until is None else _moment(until),
        purpose=purpose,
        basis=basis,
        content=content,
        previous=previous,
        recipients=recipients,
        payload_bytes=payload_bytes,
        root=root,
        digest=digest,
    )
