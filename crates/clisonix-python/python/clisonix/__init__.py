"""Clisonix: FHIR R4 records in which concurrent edits merge.

``clisonix.crdt`` holds the documents, ``clisonix.pq`` sealed shares, ``clisonix.errors`` the
exceptions.
"""

from importlib.metadata import version as _version

__version__ = _version("clisonix")

__all__ = ["__version__"]
