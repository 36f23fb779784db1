"""What all tables share."""

from sqlalchemy import CheckConstraint, DateTime, MetaData, Text

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(constraint_name)s",
    }
)

# Byte order everywhere, whatever the database's own collation: samples and moves are listed in it.
Id = Text(collation="C")
Instant = DateTime(timezone=True)


def is_label(column: str) -> CheckConstraint:
    """The rule that a column's values are names of organizations, accounts or projects."""
    # not as one pattern with a bounded repetition: that costs 12 microseconds a time, this less than one
    rule = f"{column} !~ '[^a-z0-9-]|^-|-$' AND length({column}) BETWEEN 1 AND 63"
    return CheckConstraint(rule, name=f"{column}_is_a_dns_label")
