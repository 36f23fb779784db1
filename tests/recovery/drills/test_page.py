"""Whoever looks something up on the page gets to where it stands."""

import re

from tests.recovery.drills.page import PAGE


def test_every_link_leads_to_a_section() -> None:
    links = re.findall(r"\]\(([a-z/]+\.md)?(?:#([^)]+))?\)", PAGE.read_text("utf-8"))

    assert len(links) > 20
    assert [link for link in links if not _leads_somewhere(*link)] == []


def _leads_somewhere(file: str, anchor: str) -> bool:
    page = (PAGE.parent / file) if file else PAGE
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE) if page.exists() else []
    return bool(heads) and (not anchor or anchor in {_anchor(head) for head in heads})


def _anchor(head: str) -> str:
    return re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
