"""The tables as the migrations leave them. A constraint is named as the rule that it guards."""

from worker.store.tables.columns import metadata
from worker.store.tables.log import inbox, installation, journal, lanes, rules
from worker.store.tables.state import accounts, bindings, holds, projects

__all__ = [
    "accounts",
    "bindings",
    "holds",
    "inbox",
    "installation",
    "journal",
    "lanes",
    "metadata",
    "projects",
    "rules",
]
