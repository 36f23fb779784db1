"""The contract as code: every message that goes in or comes out, with the rules for its values.

Publishers and subscribers may import it as well as the worker does; it knows nothing of the worker.
"""
