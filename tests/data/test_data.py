import gzip
import hashlib
import pickle
import shutil
import struct
import tarfile
import threading
import zipfile

import numpy as np
import pytest
import torch
from scipy import stats

from helpers.sources import source
from pj.config.data import Data
from pj.data import sources, store
from pj.data.batches import Normalise, Split, TrainingBatches, in_order, splits
from pj.data.sources import official
from pj.data.store import DataError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("dataset", "file", "checksum"),
    [
        ("CIFAR10", "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
        ("MNIST", "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    ],
)
def test_without_a_network_the_message_names_file_checksum_and_folder(
    tmp_path, monkeypatch, dataset, file, checksum
):
    from urllib.error import URLError

    from torchvision.datasets import utils

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(utils, "_urlretrieve", offline)
    with pytest.raises(DataError) as error:
        sources.read(source("torchvision", dataset=dataset, folder=str(tmp_path / "d")))
    for part in (file, checksum, str(tmp_path / "d")):
        assert part in str(error.value)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_cifar10_is_read_from_its_official_archive(tmp_path, monkeypatch):
    """An archive in the official layout, with its own few images and checksums, and no network."""
    from torchvision.datasets import CIFAR10

    draw = np.random.default_rng(0)
    inside = tmp_path / "cifar-10-batches-py"
    inside.mkdir()
    written = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        pixels = draw.integers(0, 256, (4, 3072), dtype=np.uint8)
        written[name] = pixels.reshape(4, 3, 32, 32).transpose(0, 2, 3, 1)
        (inside / name).write_bytes(pickle.dumps({"data": pixels, "labels": [0, 9, 3, 4]}))
    (inside / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {k}" for k in range(10)]}))
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(inside, arcname=inside.name)
    sums = [[name, md5(inside / name)] for name in written]
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(tmp_path / "cifar-10-python.tar.gz"))
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(inside / "batches.meta")})
    shutil.rmtree(inside)
    given = source("torchvision", dataset="CIFAR10", folder=str(tmp_path))
    dataset = sources.read(given)
    wanted = np.concatenate([written[f"data_batch_{i}"] for i in range(1, 6)])
    np.testing.assert_array_equal(dataset.x_train, wanted)
    np.testing.assert_array_equal(dataset.x_test, written["test_batch"])
    assert dataset.y_test.tolist() == [0, 9, 3, 4]
    assert dataset.classes == 10


def test_mnist_is_read_from_its_official_files(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    contents = {"images-idx3": struct.pack(">4i", 2051, 3, 28, 28) + images.tobytes()}
    contents["labels-idx1"] = struct.pack(">2i", 2049, 3) + bytes([7, 0, 9])
    resources = []
    for part in ("train", "t10k"):
        for kind, content in contents.items():
            path = raw / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(content))
            resources.append((path.name, md5(path)))
    monkeypatch.setattr(MNIST, "resources", resources)
    given = source("torchvision", dataset="MNIST", folder=str(tmp_path))
    with pytest.raises(DataError, match="does not hold the official MNIST"):
        sources.read(given)
    arrays = {"x_train": images, "y_train": np.array([7, 0, 9])}
    arrays |= {"x_test": images, "y_test": np.array([7, 0, 9])}
    monkeypatch.setattr(official, "MNIST_SHA256", store.checked(arrays, 10, "MNIST").sha256)
    dataset = sources.read(given)
    np.testing.assert_array_equal(dataset.x_train[..., 0], images)
    assert dataset.y_test.tolist() == [7, 0, 9]


def test_an_archive_with_a_wrong_checksum_is_not_used(tmp_path, monkeypatch):
    from urllib.error import URLError

    from torchvision.datasets import utils

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(utils, "_urlretrieve", offline)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="c58f30108f718f92721af3b95e74349a"):
        sources.read(source("torchvision", dataset="CIFAR10", folder=str(tmp_path)))


def test_a_saved_dataset_loads_as_it_was(tmp_path, arrays):
    dataset = store.checked(arrays, 3, "test")
    store.save(dataset, tmp_path / "d.npz")
    loaded = store.load(tmp_path / "d.npz")
    assert loaded.sha256 == dataset.sha256
    for name in store.ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(dataset, name))


def test_two_writers_at_once_leave_one_whole_file(tmp_path, arrays):
    dataset = store.checked(arrays, 3, "test")
    threads = [threading.Thread(target=store.save, args=(dataset, tmp_path / "d.npz")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load(tmp_path / "d.npz").sha256 == dataset.sha256
    assert [p.name for p in tmp_path.iterdir()] == ["d.npz"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_data_file_is_refused_with_the_way_to_repair_it(tmp_path, arrays, damage):
    path = tmp_path / "d.npz"
    store.save(store.checked(arrays, 3, "test"), path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("x_train.npy").header_offset + 600
    if damage == "flip":
        content[offset] ^= 0xFF
    path.write_bytes(content[: {"flip": None, "truncate": 900, "empty": 0}[damage]])
    with pytest.raises(DataError, match=r"snakemake .*d\.npz"):
        store.load(path)


def test_a_missing_data_file_is_refused_with_the_way_to_make_it(tmp_path):
    with pytest.raises(DataError, match="is missing; create it with `snakemake"):
        store.load(tmp_path / "data" / "d.npz")
    with pytest.raises(DataError, match="is missing; give a file that pj prepared"):  # no rule makes it
        store.load(tmp_path / "d.npz")


def test_splits_go_by_position(arrays):
    dataset = store.checked(arrays, 3, "test")
    parts = splits(dataset, Data(name="x", train=20, validation=6, test=5), CPU)
    np.testing.assert_array_equal(parts["train"].images, arrays["x_train"][:20])
    np.testing.assert_array_equal(parts["validation"].images, arrays["x_train"][20:26])
    np.testing.assert_array_equal(parts["test"].labels, arrays["y_test"][:5])
    assert set(splits(dataset, Data(name="x"), CPU)) == {"train", "test"}


@pytest.mark.parametrize("counts", [{"train": 25, "validation": 6}, {"test": 13}, {"validation": 30}])
def test_a_split_larger_than_the_data_is_refused(arrays, counts):
    with pytest.raises(DataError, match="images"):
        splits(store.checked(arrays, 3, "test"), Data(name="x", **counts), CPU)


def batches(arrays, batch_size=8, seed=0, **options):
    data = Data(name="x", **options)
    split = splits(store.checked(arrays, 3, "test"), data, CPU)["train"]
    return TrainingBatches(split, data, batch_size, Normalise(data, split), 3, seed)


def test_an_epoch_sees_every_image_once(arrays):
    loader = batches(arrays)
    loader.start_epoch(0)
    seen = torch.cat([loader[step][0] for step in range(loader.steps)]).permute(0, 2, 3, 1) * 255
    wanted = torch.from_numpy(arrays["x_train"]).float()
    assert sorted(seen.sum(dim=(1, 2, 3)).round().tolist()) == sorted(wanted.sum(dim=(1, 2, 3)).tolist())


def test_batches_depend_on_seed_and_epoch_and_nothing_else(arrays):
    def draw(seed, epoch, step):
        loader = batches(arrays, seed=seed, crop=2, flip=True)
        loader.start_epoch(epoch)
        return loader[step][0]

    assert torch.equal(draw(0, 3, 2), draw(0, 3, 2))
    assert not torch.equal(draw(0, 3, 2), draw(0, 4, 2))
    assert not torch.equal(draw(0, 3, 2), draw(1, 3, 2))


def test_crop_and_flip_cut_windows_of_the_zero_padded_image(arrays):
    """Every image must be one of the (2p + 1)² windows of its padded original, or its mirror image."""
    pad, size = 2, 8
    loader = batches(arrays, crop=pad, flip=True)
    loader.start_epoch(1)
    images, _ = loader[0]
    padded = np.pad(arrays["x_train"], ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    kinds = set()
    for image, index in zip((images * 255).round().permute(0, 2, 3, 1), loader.order[:8], strict=True):
        found = [
            (top, left, mirrored)
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
            for mirrored in (False, True)
            if np.array_equal(
                image,
                padded[index, top : top + size, left : left + size][:, :: -1 if mirrored else 1],
            )
        ]
        assert len(found) == 1
        kinds.add(found[0])
    assert len(kinds) > 1 and {k[2] for k in kinds} == {False, True}


def test_padding_is_black_before_normalising(arrays):
    arrays["x_train"][:] = 255
    arrays["x_test"][:] = 255
    arrays["x_train"][0, 4, 4] = arrays["x_test"][0, 4, 4] = 0  # or there would be nothing to learn
    loader = batches(arrays, batch_size=30, crop=2, mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.1])
    loader.start_epoch(0)
    values = {round(v, 4) for v in loader[0][0][:, 0].unique().tolist()}
    assert values == {-2.5, 2.5}  # (0 - 0.5) / 0.2 and (1 - 0.5) / 0.2


def test_images_are_standardised_per_channel(arrays):
    data = Data(name="x", mean=[0.5, 0.4, 0.3], std=[0.2, 0.25, 0.1])
    split = splits(store.checked(arrays, 3, "test"), data, CPU)["test"]
    images = torch.cat([x for x, _ in in_order(split, Normalise(data, split), most=5)])
    by_hand = (arrays["x_test"] / 255 - np.array(data.mean)) / np.array(data.std)
    np.testing.assert_allclose(images.permute(0, 2, 3, 1), by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "count"), [(28, 500), (32, 500), (64, 125), (96, 55), (1024, 1)])
def test_evaluating_larger_images_takes_no_more_memory(side, count):
    split = Split(torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(600, side, side, 1), torch.zeros(600))
    first = next(iter(in_order(split, lambda images: images)))
    assert len(first[0]) == count


def test_as_many_means_as_channels_are_needed():
    with pytest.raises(DataError, match=r"1 channels, but data\.mean has 3"):
        Normalise(
            Data(name="x", mean=[0.5] * 3, std=[0.5] * 3), Split(torch.zeros(2, 4, 4, 1), torch.zeros(2))
        )


def test_a_last_batch_of_one_image_waits_for_the_next_epoch(arrays):
    assert batches(arrays, batch_size=29).steps == 1
    assert batches(arrays, batch_size=28).steps == 2
    loader = batches(arrays, batch_size=29)
    loader.start_epoch(0)
    assert len(loader[0][1]) == 29


def test_a_batch_larger_than_the_data_is_refused(arrays):
    with pytest.raises(DataError, match="batch_size 31 is larger than the 30"):
        batches(arrays, batch_size=31)


def test_the_embedded_digits_need_no_file():
    dataset = sources.read(source("digits", image_size=28, channels=1))
    assert dataset.x_train.shape == (1437, 28, 28, 1)
    assert set(dataset.y_test) == set(range(10))


def drawn(seed=0, epoch=0):
    """Order, rows and columns of crops by 2 pixels, and flips, of 10,000 images."""
    split = Split(torch.zeros(10000, 4, 4, 1, dtype=torch.uint8), torch.zeros(10000, dtype=torch.int64))
    loader = TrainingBatches(split, Data(name="x", crop=2, flip=True), 100, None, 2, seed)
    loader.start_epoch(epoch)
    return {"order": loader.order, "top": loader.top, "left": loader.left, "mirror": loader.mirror}


def test_every_place_of_a_crop_is_as_likely_and_half_of_the_images_are_mirrored():
    found = drawn()
    for way in ("top", "left"):
        assert stats.chisquare(np.bincount(found[way], minlength=5)).pvalue > 0.001
        assert len(found[way].unique()) == 5
    assert found["mirror"].float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_crops_and_flips_are_drawn_anew_each_epoch_and_for_each_seed():
    """Each by itself: another order alone would make other batches, too."""
    first = drawn()
    for other in (drawn(epoch=1), drawn(seed=1)):
        for what, values in first.items():
            assert not torch.equal(values, other[what]), what
