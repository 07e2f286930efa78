"""Exceptions of ``clisonix``. None of them holds a clinical value: they say where, never what."""

from typing import TypedDict

__all__ = [
    "ChangesRefused",
    "ClisonixError",
    "DecodeError",
    "EditRefused",
    "InvalidResource",
    "Issue",
    "KeyFileError",
    "NotFound",
    "OtherDocument",
    "PatchError",
    "ShareDamaged",
    "ShareError",
    "ShareRefused",
    "UnknownVersion",
]


class Issue(TypedDict):
    """One problem in a resource, after FHIR's ``OperationOutcome.issue``."""

    severity: str
    """``fatal`` or ``error``."""
    code: str
    """A code of FHIR's ``issue-type``, for example ``structure`` or ``required``."""
    path: str
    """Where, FHIRPath-like: ``Patient.name[0].given[1]``."""
    message: str
    """What is wrong, in words."""


class ClisonixError(Exception):
    """Base of all exceptions here. When one is raised, the document is as it was before the call;
    :class:`ChangesRefused` alone says otherwise."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidResource(ClisonixError, ValueError):
    """The input is not JSON, or no valid FHIR R4 resource. ``issues`` lists all that is wrong."""

    def __init__(self, message: str, issues: list[Issue]) -> None:
        super().__init__(message, issues)
        self.issues = issues


class UnknownVersion(ClisonixError, LookupError):
    """Heads or a version id that this document has not seen. The usual cause: the changes that
    made the version are still with another replica."""


class NotFound(ClisonixError, KeyError):
    """No such entry at this version, or no such open conflict."""


class PatchError(ClisonixError, ValueError):
    """A patch operation that cannot be applied, or whose ``test`` is false."""

    def __init__(self, message: str, index: int, reason: str) -> None:
        super().__init__(message, index, reason)
        self.index = index
        """Index of the operation, from 0."""
        self.reason = reason


class DecodeError(ClisonixError, ValueError):
    """Bytes that are no changes or no saved document, are damaged, or of a newer format."""


class OtherDocument(ClisonixError, ValueError):
    """The changes belong to another document."""


class EditRefused(ClisonixError, ValueError):
    """The edit is refused for another reason than its content: an empty author, a name that is too
    long, more operations than one change may hold."""


class ChangesRefused(ClisonixError):
    """Some of another replica's changes can never be applied, for example because two stores
    write as one actor. The others were applied."""

    def __init__(self, message: str, applied: list[str], refused: list[str]) -> None:
        super().__init__(message, applied, refused)
        self.applied = applied
        """Ids of the changes that were applied."""
        self.refused = refused
        """The reason for each change that was not."""


class ShareError(ClisonixError, ValueError):
    """A share that cannot be made as asked: no purpose, a word that is no plain text on one line, no
    recipient. Base of the other exceptions about shares."""


class ShareRefused(ShareError):
    """A share that must not be opened: not signed, signed by a key that is not trusted or was revoked,
    expired, or sealed for somebody else. Nothing was written."""


class ShareDamaged(ShareError):
    """No share, or not as its issuer signed it. Nothing was written."""


class KeyFileError(ClisonixError, ValueError):
    """A key file, a recipient or a statement that cannot be used: a wrong pass-phrase, damage, a secret
    that others can read."""
