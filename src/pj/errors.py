"""Errors that a user can correct."""


class UserError(Exception):
    """Its message says what is wrong, where, and what is allowed; no traceback is needed."""
