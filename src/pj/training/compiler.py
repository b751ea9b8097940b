"""What torch.compile needs of a machine besides torch. Imports no torch."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def lacking(*, cuda: bool) -> str | None:
    """Return what torch.compile needs and is not here; None if it can compile.

    Args:
        cuda: whether it is to compile for a GPU, for which Triton compiles C besides.

    """
    cxx = "clang++" if sys.platform == "darwin" else "g++"
    if not shutil.which(os.environ.get("CXX") or cxx):
        return f"a C++ compiler ({cxx}, or the one that CXX names)"
    if cuda and not any(map(shutil.which, [cc] if (cc := os.environ.get("CC")) else ["gcc", "clang"])):
        return "a C compiler (gcc, clang, or the one that CC names)"
    schemes = [scheme for scheme in ("posix_prefix", "venv") if scheme in sysconfig.get_scheme_names()]
    folders = [sysconfig.get_path("include"), *(sysconfig.get_path("include", s) for s in schemes)]
    if not any((Path(folder) / "Python.h").is_file() for folder in folders):
        return f"Python's headers (Python.h in {folders[0]}; on Debian: apt install python3-dev)"
    return None
