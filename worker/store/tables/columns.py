"""What all tables share."""

from sqlalchemy import DateTime, MetaData, Text

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
