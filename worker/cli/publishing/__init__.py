"""Sending commands: lines become commands, commands go out in batches, answers come back."""
