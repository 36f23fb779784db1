"""The diagram of phases shows each change that the rules make, and no other."""

import re
from itertools import product

from tests.domain.given import Lane, archive, attach, open_account, reactivate, report_invalid, suspend, valid
from tests.tidy.tree import ROOT
from worker.domain.commands import Action, CreateAccount, DetachPaymentProfile
from worker.domain.events import PhaseChanged

PAGE = (ROOT / "docs/rules.md").read_text("utf-8")
STEPS = 3
CREATED: tuple[Action, ...] = (CreateAccount("amber", "EUR"), open_account())
ACTIONS: tuple[Action, ...] = (
    attach(valid("card-2")),
    report_invalid("card-2"),
    DetachPaymentProfile("amber"),
    suspend(),
    reactivate(),
    archive(),
)


def test_the_diagram_of_phases_shows_what_the_rules_do() -> None:
    drawn = re.findall(
        r"^ +(\S+) --> ([^\s:]+)", PAGE.partition("stateDiagram-v2")[2].partition("```")[0], re.MULTILINE
    )
    happened: set[tuple[str, str]] = set()
    for history in product(CREATED, *[ACTIONS] * STEPS):
        lane = Lane()
        for action in history:
            lane.send(action)
        changes = [record.event for record in lane.journal if isinstance(record.event, PhaseChanged)]
        happened |= {(change.left or "[*]", change.entered) for change in changes}

    assert len(drawn) == len(set(drawn))
    assert set(drawn) - {("Archived", "[*]")} == happened


def test_every_phase_of_the_page_has_its_condition_in_a_table() -> None:
    rows = re.findall(r"^\| .+ \| \*\*(\w+)\*\*", PAGE, re.MULTILINE)

    assert rows == ["Archived", "Suspended", "Ready", "Provisioning"]
