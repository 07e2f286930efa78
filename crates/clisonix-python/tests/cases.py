"""What the tests write: resources, and replicas that are edited apart and then meet."""

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from clisonix.crdt import DocumentMerge

Edit = Callable[[DocumentMerge], object]

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-01-01"}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "preliminary",
    "code": {"text": "potassium"},
}


def change(entry: str, **members: Any) -> Edit:
    """An edit of the version that is shown; ``None`` takes a member out."""

    def edit(document: DocumentMerge) -> object:
        resource = document.get_state(entry)
        for name, value in members.items():
            if value is None:
                resource.pop(name, None)
            else:
                resource[name] = copy.deepcopy(value)
        return document.apply_edit(resource)

    return edit


def exchange(*documents: DocumentMerge) -> None:
    """Gives every document what the others have."""
    for to, of in itertools.permutations(documents, 2):
        to.apply_edit(of.changes_since(to.heads()))


def same(*documents: DocumentMerge) -> None:
    """Checks that all hold the same."""
    first = documents[0]
    for other in documents[1:]:
        assert other.heads() == first.heads()
        assert other.get_state_json() == first.get_state_json()
        assert other.conflicts() == first.conflicts()


def concurrently(create: dict[str, Any] | None, a: Edit, b: Edit) -> Iterator[DocumentMerge]:
    """Plays two edits apart, with either author writing first, and merges in either order."""
    for first, second in [(a, b), (b, a)]:
        origin = DocumentMerge("patient-123")
        if create is not None:
            origin.apply_edit(create)
        left, right = origin.fork(author="left"), origin.fork(author="right")
        first(left)
        second(right)
        early, late = origin.fork(), origin.fork()
        for document, order in [(early, (left, right)), (late, (right, left))]:
            for of in order:
                document.apply_edit(of.changes_since([]))
        exchange(left, right)
        same(left, right, early, late)
        yield from (left, late)
