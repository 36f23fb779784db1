"""What every section of the settings is."""

from typing import Final

from pydantic import BaseModel, ConfigDict

PREFIX: Final = "BILLING_"


class Section(BaseModel):
    """Some settings that belong together. Frozen, and nothing in it is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
