"""Commands over more partitions: looked at, then done in one transaction."""
