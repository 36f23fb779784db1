"""`schemas`: the contract, for those who write publishers and subscribers."""

import difflib
import json
import sys
from typing import Any

from schemas.asyncapi import asyncapi
from schemas.documents import documents
from schemas.topics import TOPICS
from worker.cli.console import fail, print_json, print_table
from worker.cli.publishing.lines import whole_type

_ENDING = ".schema.json"


def show_types(*, as_json: bool) -> None:
    """Every message type, with the topic that carries it."""
    carried = [(kind, topic.name, topic.key) for topic in TOPICS for kind in topic.carries]
    if as_json:
        for kind, topic, key in carried:
            print_json({"type": kind, "topic": topic, "key": key})
    else:
        print_table(("type", "topic", "key"), carried)


def show_schema(kind: str) -> None:
    """The JSON Schema of a type; exit code 1 if there is none."""
    _print(_schema(kind))


def show_asyncapi() -> None:
    """All topics as one document."""
    _print(asyncapi())


def _schema(kind: str) -> dict[str, Any]:
    known = {name.removesuffix(_ENDING): document for name, document in documents().items()}
    name = kind if kind in known else whole_type(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " `billing-worker schemas` lists them."
        fail(f"There is no type {kind}.{hint}")
    return known[name]


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
