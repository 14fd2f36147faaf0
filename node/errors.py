"""The base class of all errors that a user can fix. Imports nothing: every room may use it."""


class UserError(Exception):
    """One line for the user: what is wrong, where, and what to do next. Shown without a traceback."""
