"""A user's own data: arrays and folders of images as people have them, read right or refused by name."""

import os
import re
import unicodedata
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.sources import source
from pj.config.data import Data
from pj.data import listing, sources, store
from pj.data.batches import splits
from pj.data.store import DataError

CPU = torch.device("cpu")


def npz(tmp_path, arrays, **options):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    return source("npz", path=str(path), **options)


def test_a_users_npz_comes_through_unchanged_if_its_order_is_kept(tmp_path, arrays):
    dataset = sources.read(npz(tmp_path, arrays, mix=False))
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(dataset, name), array)
    assert (dataset.channels, dataset.image_size, dataset.classes) == (3, 8, 3)
    assert dataset.notes == ()


def test_images_are_mixed_by_a_permutation_that_is_recorded(tmp_path, arrays):
    arrays["y_train"] = np.sort(arrays["y_train"])
    dataset = sources.read(npz(tmp_path, arrays))
    store.save(dataset, tmp_path / "saved.npz")
    loaded = store.load(tmp_path / "saved.npz")
    for part in ("train", "test"):
        order = loaded.orders[part]
        assert sorted(order.tolist()) == list(range(len(order))) and order.tolist() != sorted(order.tolist())
        for kind in ("x", "y"):
            np.testing.assert_array_equal(getattr(loaded, f"{kind}_{part}"), arrays[f"{kind}_{part}"][order])
    parts = splits(loaded, Data(name="own", validation=9), CPU)
    assert len(parts["validation"].labels.unique()) == 3
    again = sources.read(npz(tmp_path, arrays))
    assert again.sha256 == dataset.sha256


def test_a_class_that_is_not_trained_on_is_refused(arrays):
    """As of images sorted by class that are not mixed; by chance, it happens to a rare class alone."""
    many, data = {key: np.concatenate([x] * 4) for key, x in arrays.items()}, Data(name="own", validation=42)
    many["y_train"] = np.sort(many["y_train"])
    with pytest.raises(
        DataError, match="own: 40 validation images are of class cow, and none of the 78 train"
    ):
        splits(store.checked(many, ["ant", "bee", "cow"], "own"), data, CPU)
    many["y_train"][78:111] = 0
    many["y_test"][many["y_test"] == 2] = 0
    assert len(splits(store.checked(many, ["ant", "bee", "cow"], "own"), data, CPU)) == 3


def test_a_split_of_one_class_is_refused(tmp_path, arrays):
    arrays["y_train"] = np.repeat([0, 1, 2], 10)
    dataset = sources.read(npz(tmp_path, arrays, mix=False))
    with pytest.raises(DataError, match="own: the 10 validation images are all of class 2; mix the source"):
        splits(dataset, Data(name="own", validation=10), CPU)


def as_floats(arrays):
    return {k: v / 255 if k[0] == "x" else v for k, v in arrays.items()}


def channels_first(arrays):
    return {k: v.transpose(0, 3, 1, 2) if k[0] == "x" else v for k, v in arrays.items()}


def changed_labels(change):
    return lambda arrays: {k: change(v) if k[0] == "y" else v for k, v in arrays.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (as_floats, r"x_train is float64 in \[0, 1\]: multiplied by 255"),
        (lambda a: {k: v.astype(np.int64) for k, v in a.items()}, ""),
        (lambda a: {k: v.astype(np.float32) for k, v in a.items()}, ""),
        (channels_first, r"x_train is \[N, C, H, W\]: its channels were moved last"),
        (changed_labels(lambda y: y[:, None]), ""),
        (changed_labels(lambda y: np.eye(3)[y]), ""),
        (changed_labels(lambda y: y + 1), "the classes are 1, 2, 3, numbered from 0"),
        (changed_labels(lambda y: np.array(["ant", "bee", "cow"])[y]), "the classes are ant, bee, cow"),
    ],
)
def test_arrays_in_other_layouts_are_read_right_and_what_was_changed_is_said(change, said, tmp_path, arrays):
    dataset = sources.read(npz(tmp_path, change(arrays), mix=False))
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(dataset, name), array)
    assert bool(dataset.notes) == bool(said)
    if said:
        assert any(re.search(said, note) for note in dataset.notes)


def test_grey_images_gain_a_channel(tmp_path, arrays):
    arrays = {k: v[..., 0] if k[0] == "x" else v for k, v in arrays.items()}
    assert sources.read(npz(tmp_path, arrays)).x_train.shape == (30, 8, 8, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("y_test"), "lacks y_test; .* found: x_test, x_train, y_train"),
        (
            lambda a: a.update(x_train=a["x_train"] - 128.0),
            "x_train is float64 from -128 to 127; needed: uint8",
        ),
        (lambda a: a.update(x_train=a["x_train"] * np.uint16(257)), "x_train is uint16 from 0 to 65535"),
        (lambda a: a.update(x_test=a["x_test"][:, :4]), r"x_test is uint8 \[12, 4, 8, 3\]; .*H = W"),
        (lambda a: a.update(x_test=a["x_test"][:, :0, :0]), r"\[12, 0, 0, 3\]"),
        (lambda a: a.update(x_test=a["x_test"].repeat(2, axis=3)[..., :4]), r"\[12, 8, 8, 4\]"),
        (lambda a: a.update(x_train=a["x_train"] * 0), "every pixel of x_train is 0"),
        (lambda a: a.update(x_test=a["x_test"] // 128), "x_test is uint8 and holds only 0 and 1; multiply"),
        (
            lambda a: a.update(x_test=(a["x_test"] // 86).astype(np.int8) - 1),
            "x_test is int8 from -1 to 1; needed: uint8",
        ),
        (lambda a: a.update(y_train=a["y_train"][:-1]), "y_train has 29 labels; .* each of 30 images"),
        (lambda a: a.update(y_test=a["y_test"] + 1), "y_test has labels that y_train lacks: 3; .* 0, 1, 2"),
        (lambda a: a.update(y_test=a["y_test"] + 0.5), r"y_test is float64 \[12\]; needed: whole numbers"),
        (lambda a: a.update(y_train=a["y_train"] * 0, y_test=a["y_test"] * 0), "one class, 0"),
        (lambda a: a.update(x_test=a["x_test"][..., :1]), "differ in shape"),
        (lambda a: a.update(x_test=a["x_test"][:0], y_test=a["y_test"][:0]), "at least one"),
    ],
)
def test_unusable_arrays_are_refused_by_name(tmp_path, arrays, change, message):
    change(arrays)
    with pytest.raises(DataError, match=message):
        sources.read(npz(tmp_path, arrays))


def test_classes_that_have_no_image_are_refused_or_said(tmp_path, arrays):
    with pytest.raises(DataError, match=r"3 different labels \(0, 1, 2\), but classes is 10"):
        sources.read(npz(tmp_path, arrays, classes=10))
    kept = arrays["y_test"] < 2
    arrays |= {"x_test": arrays["x_test"][kept], "y_test": arrays["y_test"][kept]}
    assert "no test image of 2" in sources.read(npz(tmp_path, arrays)).notes[0]


def test_a_file_that_is_no_archive_of_arrays_is_refused_with_its_path(tmp_path, arrays):
    given = npz(tmp_path, arrays)
    path = tmp_path / "own.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"own\.npz is no \.npz archive"):
        sources.read(given)
    with path.open("wb") as file:
        np.save(file, arrays["x_train"])
    with pytest.raises(DataError, match=r"own\.npz is one array \(\.npy\); needed: np\.savez"):
        sources.read(given)
    path.unlink()
    with pytest.raises(DataError, match=r"own\.npz does not exist"):
        sources.read(given)


def test_an_npz_of_pickled_objects_is_never_loaded(tmp_path, arrays):
    arrays["x_train"] = np.array([object()], dtype=object)
    with pytest.raises(DataError, match="holds Python objects; needed: plain arrays") as refused:
        sources.read(npz(tmp_path, arrays))
    assert "allow_pickle" not in str(refused.value)


@pytest.mark.parametrize("shape", ["(99999999999, 8, 8, 3)", "(31, 8, 8, 3)"])
def test_an_array_that_claims_another_shape_is_refused_before_it_is_unpacked(shape, tmp_path, arrays):
    given = npz(tmp_path, arrays)
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    old = content["x_train.npy"]
    end = old.index(b"\n") + 1
    header = old[10:end].replace(b"(30, 8, 8, 3)", shape.encode()).strip()
    content["x_train.npy"] = old[:10] + header.ljust(end - 11) + b"\n" + old[end:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=r"x_train\.npy claims uint8 .* but holds 5,760 bytes"):
        sources.read(given)


def birds(folder, draw=lambda k: Image.new("RGB", (10, 10), (100 * k, 0, 0)), suffix="png"):
    """Write two classes of images, class k as ``draw(k)``."""
    for part, count in (("train", 6), ("test", 3)):
        for k, name in enumerate(("ant", "bee")):
            place = folder / part / name
            place.mkdir(parents=True)
            for i in range(count):
                draw(k).save(place / f"{i}.{suffix}")
    return source("folder", path=str(folder), image_size=8)


def test_class_folders_become_arrays_in_a_mixed_order(tmp_path):
    given = birds(tmp_path)
    dataset = sources.read(given)
    assert dataset.x_train.shape == (12, 8, 8, 3)
    np.testing.assert_array_equal(dataset.x_train[:, 0, 0, 0], 100 * dataset.y_train)
    assert 0 < dataset.y_train[:6].sum() < 6  # a split by position sees both classes
    assert dataset.names == ("ant", "bee") and len(dataset.orders["train"]) == 12
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"ant/0\.png"):
        sources.read(given)


def test_missing_or_empty_class_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"train is no folder; needed: .*one folder per class"):
        sources.read(source("folder", path=str(tmp_path)))
    given = birds(tmp_path)
    (tmp_path / "train" / "checkpoints").mkdir()
    with pytest.raises(DataError, match="no image in checkpoints; remove what is no class"):
        sources.read(given)


def grey(k, mode="I;16"):
    values = np.linspace(0, 65535, 100).reshape(10, 10) * (0.5 + 0.5 * k)
    return (
        Image.fromarray(values.astype(np.uint16))
        if mode == "I;16"
        else Image.fromarray(values.astype(np.int32))
    )


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_16_bits_are_scaled_to_8(mode, tmp_path):
    dataset = sources.read(birds(tmp_path, lambda k: grey(k, mode), "tiff"))
    bee = dataset.x_train[dataset.y_train == 1][0]
    assert bee.min() < 15 and 240 < bee.max() <= 255 and len(np.unique(bee)) > 30
    assert any("12 images of 16 bits: scaled to 8" in note for note in dataset.notes)


def test_an_image_lies_as_its_exif_tag_says(tmp_path):
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = 255
    image = Image.fromarray(pixels)
    tags = image.getexif()
    tags[274] = 6  # turned a quarter clockwise by a viewer: the white half is right
    given = birds(tmp_path, lambda k: Image.new("RGB", (10, 10), (9, 9 * k, 9)))
    for i in range(6):
        image.save(tmp_path / "train" / "ant" / f"{i}.png", exif=tags)
    ant = sources.read(given).x_train
    dataset = sources.read(given)
    turned = ant[dataset.y_train == 0][0].mean(axis=(0, 2))
    assert turned[:3].max() < 40 and turned[-3:].min() > 215
    assert any("6 images turned upright by their EXIF tag" in note for note in dataset.notes)


def transparent(k):
    image = Image.new("RGBA", (10, 10), (200 * k, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 10, 5))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_transparent_places_are_white(mode, tmp_path):
    dataset = sources.read(birds(tmp_path, lambda k: transparent(k).convert(mode)))
    assert (dataset.x_train[:, :3] == 255).all() and (
        dataset.x_train[dataset.y_train == 0][:, -3:] == 0
    ).all()
    assert any("12 images transparent: put on white" in note for note in dataset.notes)


def test_of_a_rectangular_image_the_central_square_is_used(tmp_path):
    def wide(k):
        image = Image.new("RGB", (30, 10), "red")
        image.paste((0, 50 + 100 * k, 0), (10, 0, 20, 10))
        return image

    dataset = sources.read(birds(tmp_path, wide))
    assert (dataset.x_train[..., 0] == 0).all()
    np.testing.assert_array_equal(dataset.x_train[:, 4, 4, 1], 50 + 100 * dataset.y_train)
    assert any("12 images not square" in note for note in dataset.notes)


def test_of_an_animation_the_first_frame_is_used_and_that_is_said(tmp_path):
    given = birds(tmp_path)
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("blue", "red")]
    path = tmp_path / "train" / "ant" / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    dataset = sources.read(given)
    assert (dataset.x_train[..., 2] > 200).all(axis=(1, 2)).sum() == 1
    assert any("1 image animated or of several pages: the first is used" in note for note in dataset.notes)


def test_the_files_that_are_read_are_those_that_are_listed(tmp_path):
    given = birds(tmp_path)
    before = sources.read(given)
    ant = tmp_path / "train" / "ant"
    (ant / ".DS_Store").touch()
    (ant / "Thumbs.db").touch()
    (ant / ".thumbnails").mkdir()
    Image.new("RGB", (10, 10)).save(ant / ".thumbnails" / "0.png")
    (tmp_path / "val" / "ant").mkdir(parents=True)
    Image.new("RGB", (10, 10)).save(tmp_path / "val" / "ant" / "0.png")
    (ant / "notes.txt").write_text("said, since it may be an image of a kind that is not read")
    same = sources.read(given)
    assert same.sha256 == before.sha256 and any("1 file .txt left out" in note for note in same.notes)
    (ant / "2024").mkdir()
    Image.new("RGB", (10, 10)).save(ant / "2024" / "0.png")
    assert len(sources.read(given).x_train) == 13 == len(listing.images(tmp_path, "train").files)


def test_links_odd_names_and_images_outside_of_classes_are_read_once_or_said(tmp_path):
    given = birds(tmp_path)
    ant = tmp_path / "train" / "ant"
    (ant / "loop").symlink_to("..")
    (ant / "gone.png").symlink_to(tmp_path / "gone.png")
    Image.new("RGB", (10, 10)).save(tmp_path / "train" / "alone.png")
    Image.new("RGB", (10, 10)).save(os.fsencode(ant) + b"/caf\xe9.png", format="png")
    dataset = sources.read(given)
    assert len(dataset.x_train) == 13
    for said in ("a link to a folder above", "a broken link", "1 file in no class folder left out"):
        assert any(said in note for note in dataset.notes)
    assert listing.state(listing.images(tmp_path, "train").classes["ant"], tmp_path)


def test_a_class_is_the_same_however_its_accents_are_stored(tmp_path):
    given = birds(tmp_path)
    for part, form in (("train", "NFC"), ("test", "NFD")):
        (tmp_path / part / "ant").rename(tmp_path / part / unicodedata.normalize(form, "café"))
    assert sources.read(given).names == ("bee", unicodedata.normalize("NFC", "café"))


def test_values_of_8_or_12_bits_in_files_of_16_are_refused(tmp_path):
    given = birds(tmp_path, draw=lambda k: Image.fromarray(np.full((10, 10), 200 * k + 55, np.uint16)))
    with pytest.raises(DataError, match=r"train: 12 images of 16 bits have no value above 255, .* black"):
        sources.read(given)


def test_a_saved_dataset_of_other_pixels_is_refused(tmp_path, arrays):
    path = tmp_path / "d.npz"
    store.save(store.checked(arrays, ["ant", "bee", "cow"], "test"), path)
    assert store.load(path).names == ("ant", "bee", "cow")
    with np.load(path) as archive:
        content = dict(archive)
    content["x_train"] = 255 - content["x_train"]
    np.savez(path, **content)
    with pytest.raises(DataError, match=r"d\.npz holds other images or labels .*; delete it and create it"):
        store.load(path)
