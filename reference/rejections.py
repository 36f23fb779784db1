"""Every code of a rejection, and every reason for which a record becomes a dead letter."""

from typing import Final

from reference.markdown import code, table
from schemas.refusals import DETAILS
from schemas.rejections import RejectionCode
from worker.domain.decision import Reason
from worker.wire.refusals import SENTENCES
from worker.wire.request import Why

HEAD: Final = """# Rejections and dead letters

A rejected command has a reason for everything that is wrong with it at the first stage that refuses: (1) its key, (2)
its type, (3) its id, (4) its data, (5) the rules. Each reason is `code`, `message` and `details`. Programs go by the
code; the message is for people, and never repeats a refused value. `KEY_MISMATCH`, `WRONG_PARTITION` and
`COMMAND_ID_REUSED` use no id up; after any other rejection the same id gets the same answer, so what is sent anew needs
a new id.

## Codes
"""

LETTERS: Final = """
## Dead letters

What cannot be read at all has no id to answer to. It goes to `billing.dead-letters` byte for byte, with headers that
say where it lay, and in `billing-reason` one of these. [Dead letters](../recovery.md#dead-letters) says what to do.
"""

_UNREADABLE: Final = {
    Why.EMPTY_VALUE: "There is no value.",
    Why.TOO_LARGE: "The command is larger than `BILLING_LANES__COMMAND_BYTES_MAX`, or unpacks to too much.",
    Why.SCHEMA_REGISTRY_FRAMING: "It begins with the frame of a schema registry. Send plain JSON.",
    Why.NOT_UTF8: "The value is not UTF-8.",
    Why.BYTE_ORDER_MARK: "The value begins with a byte order mark.",
    Why.TOO_DEEP: "Objects or lists are nested too deep.",
    Why.NOT_JSON: "The value is not JSON.",
    Why.NOT_A_NUMBER: "It has a `NaN` or an infinity, which are not JSON.",
    Why.NUMBER_TOO_LONG: "It has a number with too many digits.",
    Why.DUPLICATE_KEY: "An object has the same key twice.",
    Why.NOT_AN_OBJECT: "The value is JSON, and no object.",
    Why.DUPLICATE_HEADER: "A `ce_` header is there twice.",
    Why.CONTRADICTING_HEADERS: "Headers and document say different things.",
    Why.BAD_ENVELOPE: "An attribute that every command needs is missing or wrong.",
    Why.INTERNAL_ERROR: "A defect of the worker: the command was answered `INTERNAL_ERROR`, and this is its copy.",
}


def page() -> str:
    """The whole page."""
    rows = ((code(each.value), SENTENCES[Reason(each.value)], _details(each)) for each in RejectionCode)
    letters = ((code(why.value), _UNREADABLE[why]) for why in Why)
    codes = table(("Code", "What to do", "Details"), rows)
    return f"{HEAD}\n{codes}\n{LETTERS}\n{table(('Reason', 'Means'), letters)}\n"


def _details(refused: RejectionCode) -> str:
    promised = DETAILS.get(refused)
    if promised is None:
        return ""
    names = (field.alias or name for name, field in promised.model_fields.items())
    return ", ".join(code(name) for name in names)
