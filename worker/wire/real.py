"""Numbers of JSON that are no integers."""


class Real(float):
    """A number that was written with a fraction or an exponent. No value of the contract is one."""

    __slots__ = ()
