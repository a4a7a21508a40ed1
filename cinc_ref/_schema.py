"""The names of the JSON documents that are stored, each with the version of its form.

Every document has one of them as ``"schema"``. A version changes when readers of the one before
would misunderstand the document; a further key changes none. Documents of before there were names
have no such key, and the form of version 1.
"""

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["SCHEMA", "Document", "has_schema", "schema"]

Document = Literal[
    "bench",
    "certificate",
    "check",
    "comparison",
    "comparison-run",
    "counterexample",
    "samples",
    "verify",
]

SCHEMA = "schema"
"""The key."""

VERSIONS: dict[Document, int] = {
    "bench": 1,
    "certificate": 1,
    "check": 1,
    "comparison": 1,
    "comparison-run": 1,
    "counterexample": 1,
    "samples": 1,
    "verify": 1,
}


def schema(document: Document) -> str:
    """Return the name that a document of this kind is stored with.

    Examples
    --------
    >>> schema("verify")
    'cinc_ref/verify/1'
    """
    return f"cinc_ref/{document}/{VERSIONS[document]}"


def has_schema(content: Mapping[str, Any], document: Document) -> bool:
    """Tell whether what was read is a document of this kind, in the form that is written today.

    Examples
    --------
    >>> has_schema({"schema": "cinc_ref/bench/1"}, "bench"), has_schema({}, "bench")
    (True, True)
    >>> has_schema({"schema": "cinc_ref/bench/2"}, "bench")
    False
    """
    return content.get(SCHEMA, schema(document)) == schema(document)
