"""Reading the data of commands naively: in the rules' words, or everything that is wrong with it, code and path."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unicodedata import category, normalize

from tests.lane.oracle.envelopes import LABEL, Json

Problems = list[tuple[str, str]]
Read = Callable[[Any, str, Problems], Any]

BAD = object()
CURRENCIES = ("EUR", "JPY", "USD")
"""Those that the tests send; the contract's list is longer."""
SUSPENSIONS = (
    "NON_PAYMENT",
    "SPENDING_LIMIT_REACHED",
    "FRAUD_SUSPECTED",
    "POLICY_VIOLATION",
    "COMPLIANCE_HOLD",
    "ADMINISTRATIVE",
    "CUSTOMER_REQUESTED",
)
PROFILE_HOLDS = ("PAYMENT_PROFILE_INVALID", "PAYMENT_PROFILE_EXPIRED", "PAYMENT_PROFILE_MISSING")


def wrong(path: str, problems: Problems, code: str = "INVALID_DATA") -> Any:
    problems.append((code, path))
    return BAD


def matching(pattern: str) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        return value if isinstance(value, str) and re.fullmatch(pattern, value) else wrong(path, problems)

    return read


def text(characters_max: int) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str) or [each for each in value if category(each) in ("Cc", "Cf", "Cs")]:
            return wrong(path, problems)
        value = normalize("NFC", value)
        return value if 1 <= len(value) <= characters_max else wrong(path, problems)

    return read


def one_of(*words: str) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        return value if isinstance(value, str) and value in words else wrong(path, problems)

    return read


def integer(least: int, most: int) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        return value if type(value) is int and least <= value <= most else wrong(path, problems)

    return read


def truth(value: Any, path: str, problems: Problems) -> Any:
    return value if isinstance(value, bool) else wrong(path, problems)


def only_true(value: Any, path: str, problems: Problems) -> Any:
    return value if value is True else wrong(path, problems)


def currency(value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, str):
        return wrong(path, problems)
    return value if value in CURRENCIES else wrong(path, problems, "INVALID_CURRENCY")


def instant(value: Any, path: str, problems: Problems) -> Any:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return wrong(path, problems)
    return at.astimezone(UTC) if at.tzinfo else wrong(path, problems)


def external_id(value: Any, path: str, problems: Problems) -> Any:
    """Never the number of a card, that is 13 to 19 digits which pass Luhn."""
    if text(256)(value, path, problems) is BAD:
        return BAD
    digits = [int(each) for each in reversed(value) if each.isdigit()]
    total = sum(digits[::2]) + sum(sum(divmod(2 * each, 10)) for each in digits[1::2])
    is_card = 13 <= len(digits) <= 19 and not re.search("[^0-9 -]", value) and total % 10 == 0
    return wrong(path, problems, "SENSITIVE_DATA_REFUSED") if is_card else value


def nullable(read: Read) -> Read:
    return lambda value, path, problems: None if value is None else read(value, path, problems)


def labels(value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, dict):
        return wrong(path, problems)
    return {name: text(256)(each, f"{path}/{name}", problems) for name, each in value.items()}


def projects(value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, list) or not 1 <= len(value) <= 5000:
        return wrong(path, problems)
    for number, each in enumerate(value):
        if matching(LABEL.pattern)(each, f"{path}/{number}", problems) is not BAD and each in value[:number]:
            wrong(f"{path}/{number}", problems)
    return value


class Object:
    """Fields by name, a trailing `?` for those that may be absent. `absent` is what those then are, if anything."""

    def __init__(self, fields: dict[str, Read], **absent: object) -> None:
        self.fields = {name.rstrip("?"): read for name, read in fields.items()}
        self.needed = [name for name in fields if not name.endswith("?")]
        self.absent = absent

    def __call__(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return wrong(path, problems)
        for name in [*(set(value) - set(self.fields)), *(set(self.needed) - set(value))]:
            wrong(f"{path}/{name}", problems)
        found = {
            snake(name): read(value[name], f"{path}/{name}", problems)
            for name, read in self.fields.items()
            if name in value
        }
        return self.absent | found


def snake(name: str) -> str:
    """The rules' word for a field."""
    words = {"paymentTerms": "terms", "paymentProfile": "profile", "from": "source", "to": "target"}
    return words.get(name) or re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), name)


ID = matching(LABEL.pattern)
HOLD = matching("[A-Za-z0-9._-]{1,64}")
EMAIL = matching("[a-z]+@[a-z]+[.]com")
EXPECTED = nullable(text(1024))
DAYS, DAY = integer(1, 365), integer(1, 28)
FREQUENCY = one_of("Monthly", "Quarterly", "Annual")
TERMS = Object(
    {"netDays?": DAYS, "invoiceDayOfMonth?": DAY, "invoiceFrequency?": FREQUENCY},
    net_days=30,
    invoice_day_of_month=1,
    invoice_frequency="Monthly",
)
CONTACT = Object({"email": EMAIL, "name?": text(128)})
PROFILE = Object(
    {"type": text(64), "externalId": external_id, "status?": one_of("Pending", "Valid"), "validUntil?": instant},
    status="Pending",
    valid_until=None,
    cause=None,
)
APPROVAL = Object({"by": text(200), "reference": text(1024)})
SETTLEMENT = Object({"reference": text(1024), "settledThrough": instant})
ABOUT: dict[str, Read] = {"displayName?": text(128), "contact?": CONTACT, "labels?": labels}
ACCOUNT, PROJECT, REASON, NOTE = {"account": ID}, {"project": ID}, {"reason": one_of(*SUSPENSIONS)}, text(1024)
REPORT = {
    "externalId": external_id,
    "status": one_of("Valid", "Invalid"),
    "cause?": one_of("Expired", "Declined", "Removed", "Revoked"),
    "validUntil?": instant,
}
SUSPEND = {"message": NOTE, "hold?": HOLD, "blocksRebind?": truth}
CHOICE = {"reason?": one_of(*SUSPENSIONS, *PROFILE_HOLDS), "hold?": HOLD, "all?": only_true}
MOVE = {"from": ID, "to": ID, "projects?": projects, "expectedCount?": integer(0, 2**53 - 1)}
BIND = {"onExisting?": one_of("supersede", "reject"), "expectedBinding?": EXPECTED}

COMMANDS = {
    "create_account": Object(
        {**ACCOUNT, "currency": currency, **ABOUT, "paymentTerms?": TERMS, "paymentProfile?": PROFILE},
        display_name=None,
        contact=None,
        labels={},
        terms=TERMS.absent,
        profile=None,
    ),
    "update_account": Object({**ACCOUNT, **{name: nullable(read) for name, read in ABOUT.items()}}),
    "change_currency": Object({**ACCOUNT, "currency": currency}),
    "change_payment_terms": Object({**ACCOUNT, "paymentTerms": TERMS}),
    "attach_payment_profile": Object({**ACCOUNT, "paymentProfile": PROFILE}),
    "report_payment_profile": Object({**ACCOUNT, **REPORT}, cause=None, valid_until=None),
    "detach_payment_profile": Object(ACCOUNT),
    "suspend_account": Object({**ACCOUNT, **REASON, **SUSPEND}, hold=None, blocks_rebind=None),
    "schedule_suspension": Object({**ACCOUNT, **REASON, "dueAt": instant, "message": NOTE}),
    "cancel_suspension": Object({**ACCOUNT, **REASON}),
    "reactivate_account": Object(
        {**ACCOUNT, **CHOICE, "approval?": APPROVAL}, reason=None, hold=None, all=None, approval=None
    ),
    "archive_account": Object(
        {**ACCOUNT, "settlement?": SETTLEMENT, "approval?": APPROVAL}, settlement=None, approval=None
    ),
    "delete_account": Object(ACCOUNT),
    "move_projects": Object(MOVE, projects=None, expected_count=None),
    "bind_project": Object({**PROJECT, **ACCOUNT, **BIND}, on_existing="supersede"),
    "unbind_project": Object({**PROJECT, "expectedBinding?": EXPECTED}),
    "lock_project": Object({**PROJECT, "note": NOTE}),
    "unlock_project": Object({**PROJECT, "note": NOTE}),
    "register_project": Object(PROJECT),
    "delete_project": Object(PROJECT),
}
"""By the rules' word for the command."""


def kind_of(type_: str) -> str | None:
    """The rules' word for a type, None for an unknown one."""
    match type_.split("."):
        case ["billing", subject, word, "v1"]:
            word = word.replace("-", "_")
            kind = word if "_" in word else f"{word}_{subject}"
            return kind if kind in COMMANDS and type_ == type_of(kind) else None
    return None


def type_of(kind: str) -> str:
    """The type of the command that the rules call so."""
    first, *rest = kind.split("_")
    if rest[-1] in ("account", "project"):
        return f"billing.{rest[-1]}.{first}.v1"
    return f"billing.account.{kind.replace('_', '-')}.v1"


def read_data(kind: str, data: object) -> tuple[Json, Problems]:
    """The data in the rules' words, and everything that is wrong with it."""
    problems: Problems = []
    found = COMMANDS[kind](data, "", problems)
    if not isinstance(data, dict):
        return {}, problems
    if kind == "reactivate_account":
        chosen = [name for name in ("reason", "hold", "all") if name in data]
        problems += [("INVALID_DATA", f"/{name}") for name in chosen[1:] or ([] if chosen else ["reason"])]
    if kind == "report_payment_profile" and data.get("status") == "Valid" and "cause" in data:
        wrong("/cause", problems)
    if kind == "bind_project":
        found["supersede"] = found.pop("on_existing") == "supersede"
    return found, problems
