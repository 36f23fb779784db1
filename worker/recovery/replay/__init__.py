"""Commands read again: into the live system, where they change nothing, or into a scratch schema, to compare."""
