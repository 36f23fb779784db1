"""For subscribers: who paid at an instant, from `billing.payers`, `billing.binding-events` and `billing.horizons`."""

from schemas.subscriber.answers import Answer, Dropped, Gap, Nobody, NotYet, Payer, Taken, Unknown, Why
from schemas.subscriber.payers import Payers

__all__ = ["Answer", "Dropped", "Gap", "Nobody", "NotYet", "Payer", "Payers", "Taken", "Unknown", "Why"]
