"""Recognises numbers of payment cards, which must never reach a database, a topic or a log."""

import re

_DIGITS_MIN = 13
_DIGITS_MAX = 19
_SPACES_AND_DASHES = r"[\s\-\u2010-\u2015\u2212]"
_RUN = re.compile(rf"\d(?:{_SPACES_AND_DASHES}*\d)*")
_GROUP = re.compile(r"\d+")
_LUHN_TWICE = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def carries_card_number(text: str) -> bool:
    """Tell whether 13 to 19 digits in a row, spaces and dashes aside, pass the Luhn check.

    Digits written together stay together: a number may begin and end only where a group of digits does,
    so that a long plain number is not taken apart until some piece of it passes.
    """
    return any(_run_carries_card_number(_GROUP.findall(run)) for run in _RUN.findall(text))


def _run_carries_card_number(groups: list[str]) -> bool:
    for first in range(len(groups)):
        number = ""
        for group in groups[first:]:
            number += group
            if len(number) > _DIGITS_MAX:
                break
            if len(number) >= _DIGITS_MIN and _passes_luhn(number):
                return True
    return False


def _passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(_LUHN_TWICE[digit] for digit in digits[1::2])) % 10 == 0
