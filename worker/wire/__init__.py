"""Bytes to domain and back: the only place that knows both the contract and the rules.

Pure functions: no input or output, no clock. Reading takes any bytes and gives a value, never an exception.
"""
