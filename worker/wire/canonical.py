"""Canonical JSON (RFC 8785), so that the same content is recognised whatever its key order and white space."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256

import orjson
import rfc8785

_PLAIN = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_BEYOND_16_BITS = re.compile(rb"[\xf0-\xf4]")  # first bytes of characters that UTF-16 sorts differently


def canonical(value: object) -> bytes:
    """Canonical bytes of what `read_json` gave; never raises.

    RFC 8785 cannot take integers beyond 53 bits, infinity and lone surrogates: those get bytes that are as
    deterministic and can be mistaken for no other's.
    """
    try:
        # The same bytes as below, much sooner; it refuses large integers, lone surrogates and Real.
        plain = orjson.dumps(value, option=_PLAIN)
    except TypeError:
        return _canonical_slowly(value)
    if plain.isascii() or not _BEYOND_16_BITS.search(plain):
        return plain
    return _canonical_slowly(value)


def content_hash(content: Mapping[str, object]) -> bytes:
    """What two commands of the same content have in common, and no others."""
    return sha256(canonical(content)).digest()


def _canonical_slowly(value: object) -> bytes:
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except ValueError:
        text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return b"\0" + text.encode()
