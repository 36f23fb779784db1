"""Orders what an account has already, in values made anew, and writes what the rules make of it: nothing."""

from copy import deepcopy
from dataclasses import replace

from tests.wire.given import ACCOUNT
from worker.domain.accounts import change_payment_terms
from worker.domain.commands import ChangePaymentTerms
from worker.domain.values import PaymentTerms

if __name__ == "__main__":
    account = replace(ACCOUNT, terms=PaymentTerms(net_days=6))
    terms = deepcopy(account.terms)
    assert terms is not account.terms
    print(change_payment_terms(account, ChangePaymentTerms(account.id, terms)))  # noqa: T201
