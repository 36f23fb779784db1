"""One partition of the command topic, and everything that happens to it."""
