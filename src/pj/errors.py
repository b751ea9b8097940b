"""Errors that a user can correct."""


class UserError(Exception):
    """Its message says what is wrong, where, and what is allowed; no traceback is needed."""


def told(error: Exception) -> str | None:
    """Return what a job or command says of an error instead of a traceback; None if it needs one."""
    if isinstance(error, UserError):
        return str(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which takes seconds to import
        return (
            f"this does not fit the memory of the GPU: {first_line(error)} Let fewer jobs share it "
            "(snakemake --resources gpu=1) or set a smaller batch_size, then run again: what is finished is "
            "kept, and a training goes on from its last state"
        )
    return None


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its kind if it has none."""
    return str(error).partition("\n")[0] or type(error).__name__
