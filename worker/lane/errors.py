"""Why a lane cannot go on: three kinds, each with its own way out."""


class Fenced(Exception):  # noqa: N818 - a state of affairs, not an error of anybody's
    """Another worker owns the lane now. The way out is to leave it and join the group anew."""


class LaneStopped(Exception):  # noqa: N818
    """Topics and database do not fit together. Nothing is guessed: the lane waits for an operator's word."""


class PositionMoved(Exception):  # noqa: N818
    """The lane is still owned, but a transaction whose outcome was unknown went through. The way out: take over."""
