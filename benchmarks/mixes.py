"""What publishers send: mixes of commands, the same ones for the same seed."""
# ruff: noqa: S311  repeatable, not secret

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from itertools import count as counter
from random import Random
from typing import Any, Final

from benchmarks.stage import Command
from worker.wire.partitions import partition_of_key

NAMES: Final = tuple(f"org-{number:04}" for number in range(240))
ACCOUNTS: Final = ("main", "other", "seasonal")
ACTOR: Final = "ops@example.com"
APPROVAL: Final = {"by": "lead@example.com", "reference": "T-1"}
EARLIER_MAX: Final = 1_000
REFUSED_SHARE: Final = 0.05
REPEATED_SHARE: Final = 0.01

Data = dict[str, Any]
Step = tuple[str, Data]
"""The word of a command, and its data."""


def command(organization: str, kind: str, id_: str, **data: Any) -> bytes:
    """A command as a publisher writes it; `kind` without prefix and version."""
    envelope = {
        "specversion": "1.0",
        "id": id_,
        "source": "benchmarks",
        "type": f"billing.{kind}.v1",
        "organization": organization,
        "actor": ACTOR,
        "data": data,
    }
    return json.dumps(envelope).encode()


def organizations_of_each(partitions: int, count: int) -> list[str]:
    """So many names of organizations for each partition, in turn."""
    found: list[list[str]] = [[] for _ in range(partitions)]
    number = 0
    while any(len(names) < count for names in found):
        name = f"org-{number:04}"
        names = found[partition_of_key(name.encode(), partitions)]
        if len(names) < count:
            names.append(name)
        number += 1
    return [names[turn] for turn in range(count) for names in found]


def ready_account(account: str) -> Step:
    """The command that makes an account which is Ready at once."""
    profile = {"type": "card", "externalId": f"pm-{account}", "status": "Valid"}
    return "account.create", {"account": account, "currency": "EUR", "paymentProfile": profile}


@dataclass
class Book:
    """What the publishers of an organization know of it: who pays for its projects, and which accounts pay for none."""

    payers: dict[str, str] = field(default_factory=dict)
    projects: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    accounts_made: int = 0
    is_suspended: bool = False

    def bind(self, project: str, account: str) -> None:
        """An account pays for a project from now on."""
        if project not in self.payers:
            self.projects.append(project)
        self.payers[project] = account

    def draw(self, random: Random) -> str | None:
        """A project that somebody pays for."""
        return random.choice(self.projects) if self.projects else None

    def take(self, random: Random) -> str | None:
        """A project that nobody pays for from now on."""
        if not self.projects:
            return None
        place = random.randrange(len(self.projects))
        self.projects[place], self.projects[-1] = self.projects[-1], self.projects[place]
        project = self.projects.pop()
        del self.payers[project]
        return project


Mix = Callable[[Random, Book], Step]


def bind_new(random: Random, book: Book) -> Step:
    """A project that nobody knows yet. Its name says nothing of when it was made."""
    project = _new_project(random)
    book.bind(project, "main")
    return "project.bind", {"project": project, "account": "main"}


def move_bound(random: Random, book: Book) -> Step:
    """A bound project to another account."""
    project = book.draw(random)
    if project is None:
        return bind_new(random, book)
    account = "other" if book.payers[project] == "main" else "main"
    book.bind(project, account)
    return "project.bind", {"project": project, "account": account}


def half_moves(random: Random, book: Book) -> Step:
    """A new project as often as a bound one."""
    return (bind_new if random.random() < 1 / 2 else move_bound)(random, book)


def unbind(random: Random, book: Book) -> Step:
    """A bound project, from now on paid by nobody."""
    project = book.take(random)
    return ("project.unbind", {"project": project}) if project else bind_new(random, book)


def delete_project(random: Random, book: Book) -> Step:
    """A bound project, for good."""
    project = book.take(random)
    return ("project.delete", {"project": project}) if project else bind_new(random, book)


def suspend_or_reactivate(_: Random, book: Book) -> Step:
    """In turn, the account that comes and goes: whoever it pays for is told."""
    book.is_suspended = not book.is_suspended
    if book.is_suspended:
        cause = {"account": "seasonal", "reason": "NON_PAYMENT", "message": "An invoice is not paid."}
        return "account.suspend", cause
    return "account.reactivate", {"account": "seasonal", "all": True, "approval": APPROVAL}


def bind_to_seasonal(random: Random, book: Book) -> Step:
    """A new project to the account that comes and goes, while it is there; it stays with it."""
    if book.is_suspended:
        return bind_new(random, book)
    return "project.bind", {"project": _new_project(random), "account": "seasonal"}


def create_account(_: Random, book: Book) -> Step:
    """One more account, not Ready yet."""
    book.accounts_made += 1
    account = f"account-{book.accounts_made}"
    book.spare.append(account)
    profile = {"type": "card", "externalId": f"pm-{account}"}
    return "account.create", {"account": account, "currency": "USD", "paymentProfile": profile}


def confirm_profile(_: Random, book: Book) -> Step:
    """The newest account gets Ready, or stays so."""
    account = book.spare[-1] if book.spare else "main"
    report = {"externalId": f"pm-{account}", "status": "Valid", "validUntil": "2090-01-01T00:00:00Z"}
    return "account.report-payment-profile", {"account": account, **report}


def update_account(random: Random, _: Book) -> Step:
    """What people read about it."""
    return "account.update", {"account": random.choice(ACCOUNTS), "displayName": f"Name {random.randrange(1_000)}"}


def change_terms(random: Random, _: Book) -> Step:
    """When invoices fall due."""
    terms = {"netDays": random.randrange(1, 90), "invoiceDayOfMonth": random.randrange(1, 28)}
    return "account.change-payment-terms", {"account": random.choice(ACCOUNTS), "paymentTerms": terms}


def delete_account(random: Random, book: Book) -> Step:
    """The newest of those that pay for nothing."""
    return ("account.delete", {"account": book.spare.pop()}) if book.spare else create_account(random, book)


def refused(random: Random, book: Book) -> Step:
    """Something that rules refuse."""
    project = _new_project(random)
    return random.choice(
        (
            ("project.bind", {"project": project, "account": "nobody"}),
            ("project.unbind", {"project": project}),
            ("account.create", {"account": "main", "currency": "EUR"}),
            ("account.change-currency", {"account": "main", "currency": "USD"}),
            ("project.bind", {"project": book.draw(random) or project, "account": "main", "onExisting": "never"}),
        )
    )


def _new_project(random: Random) -> str:
    return f"project-{random.getrandbits(64):016x}"


STORY: Final[dict[Mix, float]] = {
    bind_new: 40,
    move_bound: 30,
    bind_to_seasonal: 2,
    unbind: 8,
    delete_project: 3,
    update_account: 4,
    change_terms: 3,
    create_account: 2,
    confirm_profile: 2,
    delete_account: 1,
    suspend_or_reactivate: 0.2,
}
"""A story's commands and their weights, refused and repeated ones apart."""


def story(random: Random, book: Book) -> Step:
    """Accounts and projects as they come, change and go."""
    if random.random() < REFUSED_SHARE:
        return refused(random, book)
    (step,) = random.choices(tuple(STORY), tuple(STORY.values()))
    return step(random, book)


def begin(names: Sequence[str] = NAMES) -> Iterator[Command]:
    """The accounts that every mix goes by."""
    for account in ACCOUNTS:
        kind, data = ready_account(account)
        for name in names:
            yield name, command(name, kind, f"begin-{account}", **data)


def commands(
    mix: Mix,
    count: int,
    *,
    seed: int = 1,
    names: Sequence[str] = NAMES,
    repeated: float = 0.0,
    begins: bool = True,
) -> Iterator[Command]:
    """So many commands of organizations drawn at random; the accounts come first and count, unless they are there.

    A share of them is an earlier one again. Ids repeat from a seed's own call to the next only.
    """
    begun = begin(names) if begins else iter(())
    return islice(chain(begun, _drawn(mix, seed, names, repeated)), count)


def _drawn(mix: Mix, seed: int, names: Sequence[str], repeated: float) -> Iterator[Command]:
    random = Random(seed)
    books = {name: Book() for name in names}
    earlier: list[Command] = []
    for number in counter(1):
        if earlier and random.random() < repeated:
            yield random.choice(earlier)
            continue
        name = random.choice(names)
        kind, data = mix(random, books[name])
        made = name, command(name, kind, f"c-{seed}-{number}", **data)
        if len(earlier) < EARLIER_MAX:
            earlier.append(made)
        else:
            earlier[number % EARLIER_MAX] = made
        yield made


MIXES: Final[dict[str, Callable[[int], Iterator[Command]]]] = {
    "binds": lambda count: commands(bind_new, count),
    "half_moves": lambda count: commands(half_moves, count),
    "story": lambda count: commands(story, count, repeated=REPEATED_SHARE),
    "one_hot": lambda count: commands(half_moves, count, names=NAMES[:1]),
}
"""Commands by the name of their mix."""
