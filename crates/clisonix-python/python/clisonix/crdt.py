"""Documents in which concurrent edits merge.

    >>> from clisonix.crdt import DocumentMerge
    >>> doc = DocumentMerge(document_id='patient-123')
    >>> ids = doc.apply_edit({'resourceType': 'Patient', 'id': 'p1', 'gender': 'female'})
    >>> doc.get_state('Patient/p1')['gender']
    'female'

A document is a FHIR record: entries named ``Type/id``, the changes that made them, and every
version they had. Replicas of a document are edited apart (:meth:`DocumentMerge.fork`, or a copy at
another site), exchange changes as bytes in any order, and are equal once they hold the same changes.
"""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NotRequired, Self, TypedDict

from clisonix._native import Document

__all__ = [
    "Blame",
    "Change",
    "Changes",
    "Conflict",
    "Difference",
    "DocumentMerge",
    "Erasure",
    "Json",
    "Patch",
    "Side",
    "Source",
]

Json = dict[str, Any]
"""A JSON object. Numbers with a point or an exponent are :class:`decimal.Decimal`, so that ``1.10``
stays ``1.10``; on the way in ``int``, ``Decimal`` and ``float`` are all taken."""

Changes = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | bytes
"""What :meth:`DocumentMerge.apply_edit` takes."""

Patch = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str
"""What :meth:`DocumentMerge.apply_patch` takes."""

Base = Sequence[str] | str | None


class Source(TypedDict):
    """The message of a feed that stated something."""

    feed: str
    message: str
    """Identity of the message, 32 hexadecimal digits."""
    time: str
    """When it happened by the source's own word (RFC 3339, UTC)."""


class Side(TypedDict):
    """One author's side of a conflict."""

    value: Any
    """The members written, as a dict (``{'gender': 'male'}``), or the list element; ``None`` if
    emptied or removed."""
    author: str
    time: str
    change: str
    source: Source | None
    removed: bool


class Conflict(TypedDict):
    """What cannot both be true."""

    entry: str
    """``Type/id``."""
    path: str
    """FHIRPath-like, with list indexes as shown: ``Patient.telecom[1]``."""
    kind: str
    """``value``, ``removal``, ``guard`` or ``reference``."""
    severity: str
    """``low``, ``medium`` or ``high``."""
    shown: Any
    """What is shown meanwhile, as in :class:`Side`."""
    why: str
    id: str
    """The conflict's name in its document, ``Type/id/`` and the address of the place; stays while
    it is open."""
    values: list[Side]
    """The latest first."""


class Erasure(TypedDict):
    """What a change ordered to be erased, without what it was."""

    place: str
    """A resource type with a path of elements, or a resource type; empty for a document."""
    reason: str
    operations: int | None
    """Number of writes; ``None`` for all before it."""


class Change(TypedDict):
    """One change of the history."""

    change: str
    """Its id."""
    dependencies: list[str]
    """Heads that its author had seen."""
    author: str
    time: str
    source: Source | None
    entries: list[str]
    """The entries it wrote, as far as that is left."""
    erases: NotRequired[Erasure]
    """What it ordered to be erased, if it did."""
    erased: NotRequired[int]
    """Number of its own writes that were erased, if any."""


class Blame(TypedDict):
    """Who wrote one cell that is shown, or part of a text that several people write."""

    path: str
    characters: NotRequired[list[int]]
    """Of part of a text: its first position and the one after its last."""
    author: str
    time: str
    change: str
    source: Source | None


class Difference(TypedDict):
    """One place that two versions show differently."""

    entry: str
    path: str
    """FHIRPath-like; indexes are those of the later version, or of the earlier one for what is
    gone."""
    before: Any
    """The members as a dict, or the list element; ``None`` if nothing was there."""
    after: Any


class DocumentMerge:
    """One replica of a document. Threads may share it; merging does not hold the interpreter's lock.

    Every method raises only :mod:`clisonix.errors` and, for arguments of a wrong type,
    :class:`TypeError`. A call that raises has changed nothing.
    """

    __slots__ = ("_native", "author")

    def __init__(self, document_id: str, author: str = "unknown") -> None:
        """An empty document.

        ``document_id`` names the document at all sites (1 to 512 bytes of UTF-8). ``author`` stands
        for edits that name none; a program with users should name them.
        """
        self._native = Document(document_id)
        self.author = author

    @classmethod
    def _of(cls, native: Document, author: str) -> Self:
        document = cls.__new__(cls)
        document._native = native
        document.author = author
        return document

    @property
    def document_id(self) -> str:
        """The document's name."""
        return self._native.document_id

    @property
    def version(self) -> str:
        """The version that is shown now: equal at every site that holds the same changes."""
        return self._native.version()

    @property
    def waiting(self) -> int:
        """How many received changes wait for others that have not arrived."""
        return self._native.counts()[2]

    def apply_edit(
        self,
        changes: Changes,
        base: Base = None,
        author: str | None = None,
        source: Mapping[str, Any] | str | None = None,
    ) -> list[str]:
        """Takes in an edit and returns the ids of the changes it made; ``[]`` if nothing differs.

        ``changes`` is one of:

        * a FHIR R4 resource as ``dict`` or JSON text: what the editor wants the entry to be;
        * a ``Bundle``: with a version, what the editor wants the whole document to be (entries that
          it lacks are removed); without, each of its entries as a resource of its own;
        * a JSON Patch (RFC 6902), a list of operations, on the Bundle that :meth:`get_state` gives
          (``/entry/0/resource/status``) or on entries by name (``/Patient/p1/birthDate``);
        * a FHIRPath Patch: a ``Parameters`` resource whose first parameter is named ``operation``,
          with paths from the Bundle (``Bundle.entry[0].resource``) or from a resource type of which
          the document holds one entry (``Patient.birthDate``);
        * a merge patch (RFC 7396) of entries by name: ``{'Patient': {'p1': {'gender': 'other'}}}``,
          ``None`` takes a member or an entry out;
        * ``bytes``: another replica's changes, from :meth:`changes_since` or :meth:`save`.

        ``base`` is the version the editor had read: a list of heads or a version id. Without it,
        ``meta.versionId`` counts, which :meth:`get_state` puts there. Edits of an old version merge
        with what came since. A resource without any version is an assertion: it adds and may
        conflict, it never clears or removes. A patch without a base is applied to the present state.

        ``source`` says that a feed stated this: its name, or ``{'feed': str, 'message': bytes of
        length 16, 'time': aware datetime or milliseconds since 1970}``. Without a ``base`` the edit
        is then made on what this feed stated before, so that a message that comes again changes
        nothing and does not revert what people edited since.

        Raises InvalidResource, PatchError, UnknownVersion, DecodeError, OtherDocument, EditRefused;
        ChangesRefused if some of another replica's changes can never be applied.
        """
        return self._native.apply(changes, _base(base), self._author(author), _source(source))

    def apply_edits(
        self,
        edits: Iterable[tuple[Changes, Base]],
        author: str | None = None,
        source: Mapping[str, Any] | str | None = None,
    ) -> list[list[str]]:
        """Takes in several edits, ``(changes, base)`` each, in order, all or none.

        Returns the ids of the changes that each made. Arguments and errors as in
        :meth:`apply_edit`.
        """
        pairs = [(changes, _base(base)) for changes, base in edits]
        return self._native.apply_all(pairs, self._author(author), _source(source))

    def apply_patch(
        self, entry: str, patch: Patch, base: Base = None, author: str | None = None
    ) -> list[str]:
        """Patches one entry (``'Type/id'``) as it was at ``base``, else as it is now.

        ``patch`` is a JSON Patch (a list; paths begin at the resource: ``/birthDate``), a FHIRPath
        Patch (``Parameters``; ``Patient.birthDate``), or a merge patch (any other dict:
        ``{'gender': 'other'}``); also as JSON text. What others wrote since ``base`` merges.

        Returns the ids of the changes; ``[]`` if nothing differs. Raises NotFound, PatchError,
        InvalidResource, UnknownVersion, EditRefused.
        """
        return self._native.patch(entry, patch, _base(base), self._author(author))

    def edit_text(
        self,
        entry: str,
        path: str,
        edits: Iterable[tuple[int, int, str]],
        base: Base = None,
        author: str | None = None,
    ) -> list[str]:
        """Edits a text letter by letter, as it was at ``base``, else as it is now.

        ``path`` is a JSON Pointer into the entry (``'/note/0/text'``). Each edit is ``(position,
        deleted, inserted)``: how many characters go at that position, and what comes in their place;
        a position is that of the text which the edits before it have led to. What others type at the
        same time merges and is no conflict.

        Texts are the ``text`` rows of the policy table: the text of an ``Annotation`` and the
        ``div`` of a section of a ``Composition``. Whoever overwrites one as a whole
        (:meth:`apply_edit` with another text) is in conflict with who types in it.

        Returns the ids of the changes; ``[]`` if there is nothing to do. Raises NotFound,
        EditRefused if there is no such text or a position is beyond it, InvalidResource if the text
        would be empty, UnknownVersion.
        """
        steps = [(position, deleted, inserted) for position, deleted, inserted in edits]
        return self._native.edit_text(entry, path, steps, _base(base), self._author(author))

    def text(self, entry: str, path: str, at: Base = None) -> str:
        """A text that :meth:`edit_text` edits, as it is now, or was at heads or a version id.

        Raises NotFound, EditRefused if the member is no such text, UnknownVersion.
        """
        return self._native.text(entry, path, _base(at))

    def undo(self, change: Change | str, author: str | None = None) -> list[str]:
        """Undoes a change that ``author`` made, as a new change; both stay in the history.

        Every place that still shows what the change wrote gets back what its author had seen there;
        what it removed comes back, what it created goes. What others wrote since stays.

        ``change`` is one of :meth:`history`, or its id. Returns the ids of the changes; ``[]`` if
        nothing of it is shown any more. Raises UnknownVersion if the change is not here,
        EditRefused if another author made it.
        """
        name = change if isinstance(change, str) else change["change"]
        return self._native.undo(name, self._author(author))

    def erase(
        self,
        entry: str | None = None,
        pointer: str | None = None,
        *,
        reason: str,
        base: Base = None,
        author: str | None = None,
    ) -> list[str]:
        """Destroys content, here and in every replica that takes the change in; for ever.

        With ``pointer`` (a JSON Pointer into the resource, as in ``'/birthDate'`` or
        ``'/telecom/0'``) it erases the smallest unit that holds that member: a cell, or an element
        of a list, with all that was ever written to it, and the generated narrative. Without, it
        erases the entry; without ``entry`` all content of the document. With ``base`` what was
        written up to that version, else up to now. The changes keep their ids, and old versions
        show nothing there. What others wrote meanwhile stays.

        ``reason`` stays readable in :meth:`history`: it must not say what was erased.

        Returns the id of the change. Raises NotFound if nothing is there, UnknownVersion, and
        EditRefused if the value is part of what names its list element or entry: then only the
        whole can be erased.
        """
        return self._native.erase(entry, pointer, _base(base), reason, self._author(author))

    def remove(self, entry: str, base: Base = None, author: str | None = None) -> list[str]:
        """Removes an entry (``'Type/id'``) as it was at ``base``, else as it is now.

        What others write at the same time keeps the entry, with an open conflict.
        Raises NotFound if it is not there.
        """
        return self._native.remove(entry, _base(base), self._author(author))

    def get_state(self, entry: str | None = None) -> Json:
        """The document as a FHIR ``Bundle`` of type ``collection``, or one entry (``'Type/id'``).

        Bundle and entries carry their version in ``meta.versionId``. Raises NotFound.
        """
        state: Json = _loads(self._native.state(entry))
        return state

    def get_state_json(self, entry: str | None = None) -> str:
        """:meth:`get_state` as JSON text, every number as it was written."""
        return self._native.state(entry)

    def state_at(self, heads: Sequence[str] | str, entry: str | None = None) -> Json:
        """The document, or one entry, as it was at ``heads`` or at a version id.

        Raises UnknownVersion, NotFound.
        """
        state: Json = _loads(self._native.state(entry, _base(heads)))
        return state

    def heads(self) -> list[str]:
        """The changes that no other has seen, as 64 hexadecimal digits each, sorted."""
        return self._native.heads()

    def changes_since(self, heads: Sequence[str] = (), whole: bool = False) -> bytes:
        """What a replica with ``heads`` lacks, for its :meth:`apply_edit`; ``[]`` gives all.

        Heads that are not known here are passed over: too much may be sent, never too little.
        With ``whole`` no change is told as a difference from what it overwrites: for a replica that
        refused one because it has erased that.
        """
        return self._native.changes_since(list(heads), whole)

    def differences(
        self, from_heads: Sequence[str] | str, to_heads: Sequence[str] | str | None = None
    ) -> list[Difference]:
        """What ``to_heads`` shows otherwise than ``from_heads``, by entry and place.

        Versions are heads or version ids; ``to_heads`` is the present one if not given, ``[]`` the
        empty document. Lists that only changed their order do not differ. Raises UnknownVersion.
        """
        found: list[Difference] = _loads(
            self._native.differences(_base(from_heads), _base(to_heads))
        )
        return found

    def conflicts(self) -> list[Conflict]:
        """The open conflicts, by entry and place."""
        conflicts: list[Conflict] = _loads(self._native.conflicts())
        return conflicts

    def resolve(
        self, conflict: Conflict | str, value: Any, author: str | None = None
    ) -> list[str]:
        """Settles a conflict of :meth:`conflicts`, or its id, and returns the ids of the changes.

        ``value`` is one side's ``value`` or a new one of the same form; ``None`` empties the place.
        For kinds ``removal`` and ``reference``, ``True`` keeps the thing and ``False`` removes it.

        Raises NotFound if the conflict is settled, or if it has other sides than the
        ``conflict`` that was read (an id alone says nothing of sides: whatever is there is
        settled); InvalidResource if the entry would not be valid.
        """
        if isinstance(conflict, str):
            return self._native.resolve(conflict, None, value, self._author(author))
        sides = [side["change"] for side in conflict["values"]]
        return self._native.resolve(conflict["id"], sides, value, self._author(author))

    def history(self, entry: str | None = None) -> list[Change]:
        """The changes in the order they arrived here, those of one entry only if it is named."""
        history: list[Change] = _loads(self._native.history(entry))
        return history

    def blame(self, entry: str) -> list[Blame]:
        """Who wrote what the entry shows, cell by cell. Raises NotFound."""
        blame: list[Blame] = _loads(self._native.blame(entry))
        return blame

    def fork(self, author: str | None = None) -> Self:
        """A second replica with the same changes, to be edited apart."""
        return self._of(self._native.fork(), self._author(author))

    def save(self) -> bytes:
        """The document with its history and whatever waits, for :meth:`load`."""
        return self._native.save()

    @classmethod
    def load(cls, saved: bytes, author: str = "unknown") -> Self:
        """Reads what :meth:`save` gave, as a replica of its own. Raises DecodeError."""
        return cls._of(Document.load(saved), author)

    def __repr__(self) -> str:
        entries, changes, waiting = self._native.counts()
        return (
            f"DocumentMerge({self.document_id!r}, entries={entries}, changes={changes},"
            f" waiting={waiting})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).load, (self.save(), self.author))

    def __copy__(self) -> Self:
        return self.fork()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.fork()

    def _author(self, author: str | None) -> str:
        return self.author if author is None else author


class _Written(Decimal):
    """A number with an exponent, which knows the text it was read from: ``1e3`` is not ``1E+3``."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._text,))


def _number(text: str) -> Decimal:
    return _Written(text) if "e" in text or "E" in text else Decimal(text)


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=_number)


def _base(base: Base) -> list[str] | str | None:
    return base if base is None or isinstance(base, str) else list(base)


def _source(
    source: Mapping[str, Any] | str | None,
) -> tuple[str, bytes | None, int | None] | None:
    if source is None:
        return None
    if isinstance(source, str):
        return (source, None, None)
    time = source.get("time")
    if isinstance(time, datetime.datetime):
        if time.tzinfo is None:
            raise TypeError("the time of a source needs a time zone")
        time = round(time.timestamp() * 1000)
    return (source["feed"], source.get("message"), time)
