"""Where a range of commands begins and ends, as it is typed."""

from collections.abc import Sequence

import typer

from schemas.instants import parse_instant
from worker.recovery.republish.order import Edge


def edges_of(since: str | None, until: str | None, lanes: Sequence[int]) -> tuple[Edge, Edge]:
    """What --from and --to mean. Raises BadParameter: an offset says nothing without its lane."""
    edges = _edge(since, "--from"), _edge(until, "--to")
    if any(isinstance(edge, int) for edge in edges) and len(lanes) != 1:
        raise typer.BadParameter("--from and --to with offsets need one --lane: each lane has its own")
    return edges


def _edge(text: str | None, option: str) -> Edge:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return parse_instant(text)
    except ValueError as problem:
        raise typer.BadParameter(f"{option}: {problem}, as in 2026-11-01T00:00:00Z, or an offset") from None
