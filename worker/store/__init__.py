"""State, history, journal and inbox in PostgreSQL.

Nothing in here begins or ends a transaction: whoever hands in the connection owns it.
"""
