"""The one kind of error that a user can mend."""


class UserError(Exception):
    """What is wrong, where, and what to do next, in one line; shown without a traceback."""
