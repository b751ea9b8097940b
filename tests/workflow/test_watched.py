"""What is watched of a user's own data: its content, of the files that are read."""

import os

from PIL import Image

from helpers.sources import source
from pj.data import listing
from pj.workflow import watched


def birds(folder):
    for part in listing.PARTS:
        for name in ("ant", "bee"):
            (folder / part / name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(folder / part / name / "0.png")
    return source("folder", path=str(folder))


def test_new_images_change_the_content_and_new_dates_or_droppings_do_not(tmp_path):
    given, cache = birds(tmp_path / "birds"), tmp_path / "data"
    ant = tmp_path / "birds" / "train" / "ant"
    before = watched.content(given, cache)
    os.utime(ant / "0.png", (1e9, 1e9))
    (ant / ".DS_Store").touch()
    (ant / "Thumbs.db").touch()
    (tmp_path / "birds" / "val" / "ant").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "birds" / "val" / "ant" / "0.png")
    assert watched.content(given, cache) == before
    (ant / "2024").mkdir()
    Image.new("L", (4, 4)).save(ant / "2024" / "0.png")
    more = watched.content(given, cache)
    assert more != before
    (ant / "2024" / "0.png").rename(ant / "2024" / "1.png")  # the order of images is by name
    assert watched.content(given, cache) not in (before, more)


def test_a_file_is_read_once_while_its_size_and_date_stay(tmp_path, monkeypatch):
    path = tmp_path / "own.npz"
    path.write_bytes(b"anything")
    given, cache = source("npz", path=str(path)), tmp_path / "data"
    found = watched.content(given, cache)
    monkeypatch.setattr(listing, "content", None)
    assert watched.content(given, cache) == found
    (cache / watched.CACHE).write_text("half a fi")
    monkeypatch.undo()
    assert watched.content(given, cache) == found


def test_what_is_missing_or_official_has_no_content_to_watch(tmp_path):
    for given in (
        source("npz", path="nowhere.npz"),
        source("folder", path=str(tmp_path / "nowhere")),
        source("digits"),
    ):
        assert watched.content(given, tmp_path) == ""
