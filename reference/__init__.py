"""The pages that say what the code says: written from it, and held to it by `make check`."""
