"""Sealed shares from Python: sealed, verified without a key, opened, refused."""

import datetime
import os
import threading
from pathlib import Path

import pytest
from clisonix import errors, pq

PASS = b"four words for tests"
VECTORS = Path(__file__).parents[2] / "clisonix-pq" / "tests" / "vectors"


@pytest.fixture(scope="module")
def clinic() -> pq.Keys:
    return pq.Keys.generate("clinic")


@pytest.fixture(scope="module")
def lab() -> pq.Keys:
    return pq.Keys.generate("lab")


def sealed(
    folder: Path, clinic: pq.Keys, lab: pq.Keys, *, until: datetime.date | str = "none"
) -> Path:
    share = folder / f"{len(os.listdir(folder))}.share"
    pq.seal(
        b"a report",
        share,
        keys=clinic,
        to=[lab.public()],
        purpose="second opinion",
        basis="consent",
        until=until,
        name="report.txt",
    )
    return share


def test_bytes_and_files_come_back(tmp_path: Path, clinic: pq.Keys, lab: pq.Keys) -> None:
    source, share, ledger = tmp_path / "report.txt", tmp_path / "x.share", tmp_path / "ledger"
    source.write_bytes(b"a report\n" * 100_000)
    day = datetime.date(2999, 12, 31)
    made = pq.seal(
        source,
        share,
        keys=clinic,
        to=[lab.public(), clinic.public().recipient],
        purpose="second opinion",
        basis="consent of May",
        until=day,
        content="a report",
        hide_recipients=True,
        hide_size=True,
        ledger=ledger,
    )
    trust = pq.Trust([clinic.public()])
    assert pq.verify(share, trust=trust) == made
    assert made.issuer == clinic.public().issuer
    assert (made.purpose, made.basis, made.content) == (
        "second opinion",
        "consent of May",
        "a report",
    )
    assert made.until is not None and made.until.date() == day
    assert made.recipients == 4 and made.previous is None
    out = tmp_path / "opened"
    opened = pq.open(share, out, keys=[clinic, lab], trust=trust, ledger=ledger)
    assert (opened.manifest, opened.name, opened.content) == (made, "report.txt", None)
    assert out.read_bytes() == source.read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        pq.open(share, out, keys=lab, trust=trust)
    again = tmp_path / "y.share"
    next_one = pq.seal(
        b"",
        again,
        keys=clinic,
        to=[lab.public()],
        purpose="p",
        basis="b",
        until="none",
        ledger=ledger,
    )
    assert next_one.previous == made.digest
    assert pq.open(again, keys=lab, trust=trust).content == b""
    assert [line.split()[0] for line in ledger.read_text().splitlines()] == [
        "given",
        "received",
        "given",
    ]


def test_keys_are_kept_wrapped(tmp_path: Path, clinic: pq.Keys) -> None:
    path = tmp_path / "clinic.secret"
    clinic.save(path, PASS)
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = pq.Keys.load(path, PASS)
    assert loaded.name == "clinic"
    assert loaded.public().fingerprint == clinic.public().fingerprint
    with pytest.raises(errors.KeyFileError, match="wrong pass-phrase"):
        pq.Keys.load(path, b"four other words")
    with pytest.raises(FileExistsError):
        clinic.save(path, PASS)
    path.chmod(0o644)
    with pytest.raises(errors.KeyFileError, match="can be read by others"):
        pq.Keys.load(path, PASS)
    with pytest.raises(FileNotFoundError):
        pq.Keys.load(tmp_path / "nothing", PASS)
    public = clinic.public()
    assert pq.PublicKeys.from_text(public.text).recipient == public.recipient
    with pytest.raises(errors.KeyFileError):
        pq.PublicKeys.from_text(public.text.replace("name: clinic", "name: clinie"))


def test_what_must_not_be_opened_is_refused(
    tmp_path: Path, clinic: pq.Keys, lab: pq.Keys
) -> None:
    share, trust = sealed(tmp_path, clinic, lab), pq.Trust([clinic.public()])
    out = tmp_path / "opened"
    with pytest.raises(errors.ShareRefused, match="not trusted"):
        pq.open(share, out, keys=lab, trust=pq.Trust([lab.public()]))
    with pytest.raises(errors.ShareRefused, match="not trusted"):
        pq.verify(share, trust=pq.Trust([]))
    with pytest.raises(errors.ShareRefused, match="not sealed for this key"):
        pq.open(share, out, keys=clinic, trust=trust)
    expired = sealed(tmp_path, clinic, lab, until=datetime.date(2020, 1, 1))
    with pytest.raises(errors.ShareRefused, match="expired on 2020-01-01T23:59:59Z"):
        pq.open(expired, out, keys=lab, trust=trust)
    damaged = bytearray(share.read_bytes())
    damaged[-2000] ^= 1
    share.write_bytes(damaged)
    with pytest.raises(errors.ShareDamaged):
        pq.open(share, out, keys=lab, trust=trust)
    share.write_bytes(damaged[:3000])
    with pytest.raises(errors.ShareDamaged, match="cut off"):
        pq.verify(share, trust=trust)
    assert not out.exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_terms_that_a_share_cannot_have(tmp_path: Path, clinic: pq.Keys, lab: pq.Keys) -> None:
    def seal(
        purpose: str = "p",
        until: datetime.date | str = "none",
        to: list[pq.PublicKeys | str] | None = None,
    ) -> None:
        whom = [lab.public()] if to is None else to
        pq.seal(
            b"x", tmp_path / "s", keys=clinic, to=whom, purpose=purpose, basis="b", until=until
        )

    with pytest.raises(errors.ShareError, match="purpose"):
        seal(purpose="")
    with pytest.raises(errors.ShareError, match="moment"):
        seal(until="2026-02-30")
    with pytest.raises(errors.ShareError, match="recipients"):
        seal(to=[])
    with pytest.raises(errors.KeyFileError, match="age1pq1"):
        seal(to=["age1somebody"])
    with pytest.raises(ValueError, match="offset"):
        seal(until=datetime.datetime(2027, 1, 1))
    assert os.listdir(tmp_path) == []


def test_other_threads_run_while_a_share_is_sealed(
    tmp_path: Path, clinic: pq.Keys, lab: pq.Keys
) -> None:
    content, public, turns = bytes(24 << 20), lab.public(), 0
    done = threading.Event()

    def seal() -> None:
        try:
            pq.seal(
                content,
                tmp_path / "s",
                keys=clinic,
                to=[public],
                purpose="p",
                basis="b",
                until="none",
            )
        finally:
            done.set()

    thread = threading.Thread(target=seal)
    thread.start()
    while not done.wait(0.001):
        turns += 1
    thread.join()
    assert (tmp_path / "s").stat().st_size > len(content)
    assert turns > 1


def test_a_share_that_was_taken_back_is_refused() -> None:
    folder = VECTORS / "share"
    share = folder / "small.share"
    issuer = pq.PublicKeys.from_text((folder / "small.pub").read_text())
    pq.verify(share, trust=pq.Trust([issuer]))
    trust = pq.Trust([issuer], statements=[folder / "small.withdrawal"])
    with pytest.raises(errors.ShareRefused, match="withdrawn"):
        pq.verify(share, trust=trust)


def test_shares_of_a_revoked_key_are_refused(tmp_path: Path, lab: pq.Keys) -> None:
    folder, secret = VECTORS / "key", tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes((folder / "hybrid.secret").read_bytes())
    keys = pq.Keys.load(secret, b"a pass-phrase of the vectors")
    share, issuer = sealed(tmp_path, keys, lab), keys.public()
    pq.verify(share, trust=pq.Trust([issuer]))
    trust = pq.Trust([issuer], statements=[folder / "hybrid.revocation"])
    with pytest.raises(errors.ShareRefused, match="revoked"):
        pq.verify(share, trust=trust)


def test_statements_of_others_are_no_statements(tmp_path: Path, clinic: pq.Keys) -> None:
    other = tmp_path / "other"
    other.write_text("a letter")
    for statement in [VECTORS / "key" / "hybrid.revocation", other]:
        with pytest.raises(errors.KeyFileError, match="no revocation or withdrawal"):
            pq.Trust([clinic.public()], statements=[statement])
