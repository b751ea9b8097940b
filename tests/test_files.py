"""Writing files: whole or not at all, with the umask's mode, and in one message if there is no space."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from pj import files
from pj.errors import UserError


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_mode_of_the_umask(umask, mode, tmp_path):
    code = f"import pathlib, pj.files; pj.files.write_text(pathlib.Path({str(tmp_path / 'x')!r}), 'x')"
    subprocess.run([sys.executable, "-c", code], check=True, umask=umask)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_message_and_leaves_the_file_as_it_was(number, tmp_path):
    path = tmp_path / "x"
    path.write_text("before")
    with (
        pytest.raises(UserError, match=rf"{path} cannot be written: {os.strerror(number)} \(\d+ MB free\)"),
        files.replaced(path),
    ):
        raise OSError(number, os.strerror(number))
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["x"]


def test_other_errors_pass_and_leave_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="mine"), files.replaced(tmp_path / "x"):
        raise ValueError("mine")
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_a_link_to_nowhere_or_a_file_is_named(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"results is a link to .*gone, which does not exist; create that"):
        files.check_writable(tmp_path / "results")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file, not a folder"):
        files.check_writable(tmp_path / "file" / "results")
