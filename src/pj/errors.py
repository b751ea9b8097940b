"""The errors that a user can mend."""


class UserError(Exception):
    """Its message says what is wrong, where, and what is allowed; no traceback is needed."""
