"""The tables as the migrations leave them. A constraint is named as the rule that it guards."""

from worker.store.tables.accounts import accounts, holds, phases
from worker.store.tables.bindings import bindings, projects
from worker.store.tables.columns import metadata
from worker.store.tables.log import audit, inbox, installation, journal, lanes, rules

__all__ = [
    "accounts",
    "audit",
    "bindings",
    "holds",
    "inbox",
    "installation",
    "journal",
    "lanes",
    "metadata",
    "phases",
    "projects",
    "rules",
]
