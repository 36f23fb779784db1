"""The program `billing-worker`: parse and print."""

from worker.cli.program import main

__all__ = ["main"]
