"""What is watched of a user's own data: its content, of the files that are read."""

import json
import os
import shutil

import pytest
from PIL import Image

from helpers.sources import source
from pj.config.components import Source
from pj.config.types import Strict
from pj.data import listing
from pj.errors import UserError
from pj.runs import records
from pj.workflow import dates, watched


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


def test_new_test_images_change_the_content_as_new_training_images_do(tmp_path):
    given, cache = birds(tmp_path / "birds"), tmp_path / "data"
    seen = {watched.content(given, cache)}
    for part in listing.PARTS:
        Image.new("L", (4, 4), 9).save(tmp_path / "birds" / part / "bee" / "1.png")
        seen.add(watched.content(given, cache))
    assert len(seen) == 1 + len(listing.PARTS) > 2


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


def test_an_image_of_the_same_size_and_date_as_before_is_another_one(tmp_path):
    """As unpacking an archive, or copying with dates, leaves it."""
    given, image = birds(tmp_path / "birds"), tmp_path / "birds" / "train" / "ant" / "0.png"
    before, content, date = watched.content(given, tmp_path), image.read_bytes(), image.stat().st_mtime_ns
    image.write_bytes(content[::-1])
    os.utime(image, ns=(date, date))
    assert watched.content(given, tmp_path) != before


def test_files_and_folders_that_options_of_an_own_source_name_are_watched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text("def images(file, folder, here, count): ...")
    (tmp_path / "folder").mkdir()
    options = {"file": "x.npy", "folder": str(tmp_path / "folder"), "here": ".", "count": 3}

    class Settings(Strict):
        source: Source

    given = Settings.model_validate({"source": {"class": "my.py:images", "options": options}}).source
    seen = {watched.content(given, tmp_path / "cache")}
    (tmp_path / "folder" / "inner").mkdir()
    for path in ("x.npy", "folder/a.png", "folder/inner/b.png", "x.npy"):
        (tmp_path / path).write_text(f"{len(seen)}")
        seen.add(watched.content(given, tmp_path / "cache"))
    assert len(seen) == 5
    (tmp_path / "results.txt").write_text("not named")
    assert watched.content(given, tmp_path / "cache") in seen


def test_what_is_missing_or_official_has_no_content_to_watch(tmp_path):
    for given in (
        source("npz", path="nowhere.npz"),
        source("folder", path=str(tmp_path / "nowhere")),
        source("digits"),
    ):
        assert watched.content(given, tmp_path) == ""


def prepared(folder, given, **changes):
    """Describe a dataset as prepared from what its source holds."""
    folder.mkdir(exist_ok=True)
    settings = given.model_dump(mode="json", exclude={"folder", "label"})
    content = {"source": settings, "content": watched.content(given, folder), **changes}
    (folder / "birds.json").write_text(json.dumps(content))


def test_the_stamp_of_a_dataset_is_new_exactly_while_its_files_hold_something_else(tmp_path):
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    prepared(data, given)
    stamp = watched.stamp("birds", data)
    watched.check({"birds": given}, tmp_path)
    assert stamp.stat().st_mtime == dates.OLD
    image = tmp_path / "birds" / "train" / "ant" / "1.png"
    Image.new("L", (4, 4), 9).save(image)
    for _ in range(2):
        watched.check({"birds": given}, tmp_path)
        assert stamp.stat().st_mtime > dates.OLD
    prepared(data, given)
    watched.check({"birds": given}, tmp_path)
    assert stamp.stat().st_mtime == dates.OLD


def test_the_stamp_is_new_again_if_the_files_change_once_more_after_they_were_prepared(tmp_path):
    """What was prepared meanwhile is older than the stamp, or nothing would prepare the third content."""
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    stamp = watched.stamp("birds", data)
    for grey in (9, 99):
        Image.new("L", (4, 4), grey).save(tmp_path / "birds" / "train" / "ant" / "0.png")
        watched.check({"birds": given}, tmp_path)
        assert stamp.read_text() == watched.content(given, data)
        os.utime(stamp, (1.2e9, 1.2e9))
        prepared(data, given)
    Image.new("L", (4, 4), 200).save(tmp_path / "birds" / "train" / "ant" / "0.png")
    watched.check({"birds": given}, tmp_path)
    assert stamp.stat().st_mtime >= (data / "birds.json").stat().st_mtime


def test_a_stamp_from_the_future_is_of_today(tmp_path):
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    watched.check({"birds": given}, tmp_path)
    stamp = watched.stamp("birds", data)
    os.utime(stamp, (2e10, 2e10))
    watched.check({"birds": given}, tmp_path)
    assert not dates.future(stamp.stat().st_mtime) and stamp.stat().st_mtime > dates.OLD


def test_what_the_files_hold_now_counts_before_what_was_prepared(tmp_path):
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    prepared(data, given, content="before")
    assert watched.prepared_or_now("birds", given, data) == watched.content(given, data) != ""
    shutil.rmtree(tmp_path / "birds")
    assert watched.prepared_or_now("birds", given, data) == "before"


def test_a_name_that_belongs_to_another_prepared_dataset_is_refused(tmp_path):
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    prepared(data, given)
    larger = source("folder", path=given.path, image_size=64)
    for other in (larger, source("digits")):
        with pytest.raises(UserError, match=r"'birds' is .*were made from .*label of its own .*delete"):
            watched.check({"birds": other}, tmp_path)
    moved = source("folder", path=str(tmp_path / "moved"))
    shutil.copytree(tmp_path / "birds", tmp_path / "moved")
    watched.check({"birds": moved}, tmp_path)  # the same files elsewhere
    (tmp_path / "moved" / "train" / "ant" / "0.png").unlink()
    with pytest.raises(UserError, match="label of its own"):
        watched.check({"birds": moved}, tmp_path)


def trained(folder, name, made, seed=0):
    """A finished run's record of what its data were made from."""
    own = folder / "runs" / f"{name}-mlp-01234567" / f"seed{seed}"
    own.mkdir(parents=True)
    record = {"spec": {"data": {"name": name}}, records.MADE_FROM: made}
    (own / records.RUN).write_text(json.dumps(record))


def made_from(given, folder):
    settings = given.model_dump(mode="json", exclude={"folder", "label"})
    return {"source": settings, "content": watched.content(given, folder)}


def test_a_name_that_belongs_to_finished_runs_is_refused_though_the_prepared_data_were_deleted(tmp_path):
    given = birds(tmp_path / "birds")
    trained(tmp_path, "birds-one", {"source": {"source": "digits"}})  # of another dataset
    trained(tmp_path, "birds", made_from(given, tmp_path))
    watched.check({"birds": given}, tmp_path)  # as they were trained on
    assert watched.stamp("birds", tmp_path / "data").stat().st_mtime == dates.OLD
    with pytest.raises(
        UserError, match=r"'birds' is \{source: digits, .*these were .*: \S*runs/birds-mlp-01234567"
    ):
        watched.check({"birds": source("digits")}, tmp_path)


def test_one_run_of_other_data_is_enough_to_refuse_a_name_whatever_has_been_prepared(tmp_path):
    """Such as one that was copied from elsewhere."""
    given = birds(tmp_path / "birds")
    prepared(tmp_path / "data", given)
    trained(tmp_path, "birds", made_from(given, tmp_path))
    trained(tmp_path, "birds", {"source": {"source": "digits"}, "content": ""}, seed=1)
    with pytest.raises(UserError, match=r"made from \{source: digits\}: \S*runs/birds-mlp-01234567\."):
        watched.check({"birds": given}, tmp_path)


@pytest.mark.parametrize("made", ["abc", [1], {"source": [1]}, {"source": None}, None])
def test_a_record_whose_data_are_of_no_known_form_says_nothing_about_them(made, tmp_path):
    given = birds(tmp_path / "birds")
    trained(tmp_path, "birds", made)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "birds.json").write_text(json.dumps(made))
    watched.check({"birds": given}, tmp_path)


def test_prepared_data_get_an_old_date_whatever_the_clock_was(tmp_path):
    for name, date in (("a.npz", 1e9), ("a.json", 4e9)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (date, date))
    watched.set_back(tmp_path)
    assert {path.stat().st_mtime for path in tmp_path.iterdir()} == {dates.OLD}


def test_data_whose_files_are_gone_stay_as_they_were_prepared_and_a_wrong_path_is_refused(tmp_path):
    """Snakemake would delete the prepared data before the job that cannot make them."""
    given, data = birds(tmp_path / "birds"), tmp_path / "data"
    prepared(data, given)
    now = watched.content(given, data)
    (tmp_path / "birds").rename(tmp_path / "elsewhere")
    watched.check({"birds": given}, tmp_path)
    assert watched.prepared_or_now("birds", given, data) == now
    wrong = source("folder", path=str(tmp_path / "brids"))
    with pytest.raises(UserError, match=r"'birds' is .*, but there is no .*brids"):
        watched.check({"birds": wrong}, tmp_path)
