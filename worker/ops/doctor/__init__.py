"""Whether a deployment is as it must be: what was looked at, what was found, and what to do."""
