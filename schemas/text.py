"""Text that people wrote: NFC, of bounded length, without characters that hide or reorder others."""

import re
from dataclasses import dataclass
from unicodedata import normalize

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

_HIDDEN = (
    (0x0000, 0x001F),  # control, line ends and tabs among them
    (0x007F, 0x009F),
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200F),  # zero-width, left-to-right and right-to-left marks
    (0x2028, 0x202E),  # line and paragraph separators, embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF9, 0xFFFB),  # interlinear annotation
)
_HIDDEN_BEYOND_16_BITS = ((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE007F))
_SURROGATES = ((0xD800, 0xDFFF),)

HIDDEN_CHARACTER = re.compile(
    "[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in _HIDDEN + _HIDDEN_BEYOND_16_BITS + _SURROGATES) + "]"
)
"""Control, bidi and zero-width characters, and surrogates without their other half."""


def _range(first: int, last: int) -> str:
    return f"\\u{first:04x}" if first == last else f"\\u{first:04x}-\\u{last:04x}"


_PORTABLE_PATTERN = f"^[^{''.join(_range(first, last) for first, last in _HIDDEN)}]*$"
_LONGEST_DECOMPOSITION = 4  # code points that one NFC character may arrive as


@dataclass(frozen=True, slots=True)
class Text:
    """Annotates a string with the contract's rules for text; lengths are of code points after NFC.

    The length as it came is bounded too: normalising takes quadratic time on a long run of marks.
    """

    characters_max: int
    meaning: str
    characters_min: int = 1

    def normalised(self, value: str) -> str:
        """Give the text in NFC, or raise the refusal."""
        if HIDDEN_CHARACTER.search(value):
            raise PydanticCustomError(
                "INVALID_DATA", "Must not contain control, bidirectional or zero-width characters or lone surrogates."
            )
        text = value if value.isascii() else normalize("NFC", value)
        if not self.characters_min <= len(text) <= self.characters_max:
            raise PydanticCustomError(
                "INVALID_DATA",
                "Must have {least} to {most} characters.",
                {"least": self.characters_min, "most": self.characters_max},
            )
        return text

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Check the raw string first, then its characters."""
        raw = core_schema.str_schema(strict=True, max_length=self.characters_max * _LONGEST_DECOMPOSITION)
        return core_schema.no_info_after_validator_function(self.normalised, raw)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the text as far as a pattern can."""
        return {
            "type": "string",
            "description": self.meaning,
            "minLength": self.characters_min,
            "maxLength": self.characters_max,
            "pattern": _PORTABLE_PATTERN,
        }
