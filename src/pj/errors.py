"""Errors that a user can correct."""


class UserError(Exception):
    """Its message says what is wrong, where, and what is allowed; no traceback is needed."""


def told(error: Exception) -> str | None:
    """Return what a job or command says of an error instead of a traceback; None if it needs one."""
    if isinstance(error, UserError):
        return str(error)
    if _memory_is_full(error):
        return (
            f"this does not fit the memory of the GPU: {first_line(error)} Let fewer jobs share it "
            "(snakemake --resources gpu=1) or set a smaller batch_size, then run again: what is finished is "
            "kept, and a training goes on from its last state"
        )
    return None


def _memory_is_full(error: Exception) -> bool:
    """Whether a GPU has no memory left: for tensors, for the process as a whole, or for a library's own."""
    name = type(error).__name__  # torch's classes, without its import, which takes seconds
    if name == "AcceleratorError":
        return "out of memory" in first_line(error)
    alloc_failed = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return name == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in alloc_failed)
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its kind if it has none."""
    return str(error).partition("\n")[0] or type(error).__name__
