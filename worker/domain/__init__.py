"""What is true: the rules of billing as functions of values.

Standard library only. No clock, no randomness, no input or output, no logging: the same log gives the same bytes.
"""
