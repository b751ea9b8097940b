"""The official datasets of torchvision, from tiny files in their official formats, without a network."""

import gzip
import hashlib
import pickle
import string
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import savemat

from helpers.sources import source
from pj.config import load
from pj.config.checks import _test_images
from pj.config.data import Data
from pj.data import sources
from pj.data.batches import Normalise, TrainingBatches, in_order, splits
from pj.data.store import DataError

PARTS = ("train", "test")
CPU = torch.device("cpu")


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(*shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def idx(images, labels):
    """The two files of a part, in MNIST's format."""
    first = struct.pack(">4i", 2051, *images.shape) + images.tobytes()
    second = struct.pack(">2i", 2049, len(labels)) + bytes(labels)
    return {"images-idx3": gzip.compress(first), "labels-idx1": gzip.compress(second)}


def read(name, folder, **options):
    return sources.read(source("torchvision", dataset=name, folder=str(folder), **options))


def test_cifar100_is_read_with_its_fine_labels(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR100

    inside = tmp_path / "cifar-100-python"
    inside.mkdir()
    raw = pixels(4, 3072)
    for part in PARTS:
        content = {"data": raw, "fine_labels": [99, 0, 7, 7], "coarse_labels": [1, 2, 3, 3]}
        (inside / part).write_bytes(pickle.dumps(content))
        monkeypatch.setattr(CIFAR100, f"{part}_list", [[part, md5(inside / part)]])
    (inside / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"class {k}" for k in range(100)]}))
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": md5(inside / "meta")})
    dataset = read("CIFAR100", tmp_path)
    np.testing.assert_array_equal(dataset.x_test, raw.reshape(4, 3, 32, 32).transpose(0, 2, 3, 1))
    assert dataset.y_train.tolist() == [99, 0, 7, 7] and dataset.names[99] == "class 99"


@pytest.mark.parametrize(
    ("name", "label"), [("FashionMNIST", "Ankle boot"), ("KMNIST", "wo")], ids=lambda value: value
)
def test_the_likes_of_mnist_are_read_with_their_classes(name, label, tmp_path, monkeypatch):
    from torchvision import datasets

    raw, images, resources = tmp_path / name / "raw", pixels(3, 28, 28), []
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind, content in idx(images, [9, 0, 4]).items():
            path = raw / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(content)
            resources.append((path.name, md5(path)))
    monkeypatch.setattr(getattr(datasets, name), "resources", resources)
    dataset = read(name, tmp_path)
    np.testing.assert_array_equal(dataset.x_train[..., 0], images)
    assert dataset.y_test.tolist() == [9, 0, 4] and dataset.names[9] == label


@pytest.mark.parametrize(
    ("subset", "labels", "classes"),
    [
        (None, [0, 46, 10], string.digits + string.ascii_uppercase + "abdefghnqrt"),
        ("letters", [1, 26, 3], string.ascii_lowercase),
        ("byclass", [0, 61, 10], string.digits + string.ascii_uppercase + string.ascii_lowercase),
    ],
)
def test_emnist_is_upright_and_its_letters_begin_at_0(subset, labels, classes, tmp_path, monkeypatch):
    from torchvision.datasets import EMNIST

    upright = pixels(3, 28, 28)
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    with zipfile.ZipFile(raw / "gzip.zip", "w") as archive:
        for part in PARTS:
            for kind, content in idx(upright.transpose(0, 2, 1).copy(), labels).items():
                archive.writestr(f"gzip/emnist-{subset or 'balanced'}-{part}-{kind}-ubyte.gz", content)
    monkeypatch.setattr(EMNIST, "md5", md5(raw / "gzip.zip"))
    dataset = read("EMNIST", tmp_path, **({"subset": subset} if subset else {}))
    np.testing.assert_array_equal(dataset.x_test[..., 0], upright)
    assert dataset.names == tuple(classes)
    assert [dataset.names[k] for k in dataset.y_train] == [
        classes[0],
        classes[-1],
        classes[labels[2] - labels[0]],
    ]


def test_svhn_is_read_with_its_zeros(tmp_path, monkeypatch):
    from torchvision.datasets import SVHN

    images, files = pixels(3, 32, 32, 3), dict(SVHN.split_list)
    for part in PARTS:
        path = tmp_path / f"{part}_32x32.mat"
        # of MATLAB: the images last, and 10 for the digit 0
        savemat(path, {"X": images.transpose(1, 2, 3, 0), "y": np.array([[10], [1], [9]], dtype=np.uint8)})
        files[part] = [files[part][0], path.name, md5(path)]
    monkeypatch.setattr(SVHN, "split_list", files)
    dataset = read("SVHN", tmp_path)
    np.testing.assert_array_equal(dataset.x_train, images)
    assert dataset.y_test.tolist() == [0, 1, 9] and dataset.names == tuple("0123456789")


def test_stl10_is_read_and_stays_uint8_on_its_way_through_the_pipeline(tmp_path, monkeypatch):
    from torchvision.datasets import STL10

    inside, images, labels = tmp_path / "stl10_binary", pixels(6, 96, 96, 3), bytes([1, 10, 3, 4, 5, 6])
    inside.mkdir()
    names = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
    (inside / "class_names.txt").write_text("\n".join(names) + "\n")
    for part in (*PARTS, "unlabeled"):
        (inside / f"{part}_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())  # column by column
        (inside / f"{part}_y.bin").write_bytes(labels)
    files = [[path.name, md5(path)] for path in sorted(inside.glob("*.bin"))]
    with tarfile.open(tmp_path / "stl10_binary.tar.gz", "w:gz") as archive:
        archive.add(inside, arcname=inside.name)
    monkeypatch.setattr(STL10, "tgz_md5", md5(tmp_path / "stl10_binary.tar.gz"))
    for part in PARTS:
        wanted = {name: sum_ for name, sum_ in files if name.startswith((part, "unlabeled_X"))}
        order = [f"{part}_X.bin", f"{part}_y.bin", *(["unlabeled_X.bin"] if part == "train" else [])]
        monkeypatch.setattr(STL10, f"{part}_list", [[name, wanted[name]] for name in order])
    dataset = read("STL10", tmp_path)
    np.testing.assert_array_equal(dataset.x_test, images)
    assert dataset.y_train.tolist() == [0, 9, 2, 3, 4, 5] and dataset.names == tuple(names)
    data = Data(name="stl10", crop=12, flip=True)
    parts = splits(dataset, data, CPU)
    batches = TrainingBatches(parts["train"], data, 4, Normalise(data, parts["train"]), 10, seed=0)
    batches.start_epoch(0)
    assert batches.images.numpy().dtype == np.uint8 and batches[0][0].shape == (4, 3, 96, 96)
    assert [len(x) for x, _ in in_order(parts["test"], Normalise(data, parts["train"]))] == [6]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("CIFAR100", ("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", "cs.toronto.edu")),
        ("EMNIST", ("EMNIST/raw", "gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e", "nist.gov")),
        ("SVHN", ("train_32x32.mat", "eb5a983be6a315427106f1b164d9cef3", "stanford.edu/housenumbers")),
        ("STL10", ("stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb", "stanford.edu/~acoates/stl10")),
        ("KMNIST", ("KMNIST/raw", "t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7", "codh")),
    ],
)
def test_without_a_network_the_message_says_what_to_copy_where(name, wanted, tmp_path, monkeypatch):
    from torchvision.datasets import utils

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(utils, "_urlretrieve", offline)
    with pytest.raises(DataError) as error:
        read(name, tmp_path)
    assert all(part in str(error.value) for part in (*wanted, str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("STL10", {}, 8000),
        ("SVHN", {}, 26032),
        ("FashionMNIST", {}, 10000),
        ("EMNIST", {}, 18800),
        ("EMNIST", {"subset": "byclass"}, 116323),
        ("EMNIST", {"subset": "letters"}, None),
    ],
)
def test_the_number_of_test_images_is_known_without_reading_them(name, options, count):
    assert _test_images(source("torchvision", dataset=name, **options)) == count


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{source: torchvision, dataset: CIFAR1000}", r"datasets\.x\.dataset: .*Did you mean 'CIFAR100'"),
        ("{source: torchvision, dataset: EMNIST, subset: leters}", r"subset: .*Did you mean 'letters'"),
        (
            "{source: torchvision, dataset: MNIST, subset: letters}",
            r"x\.subset: 'letters'; MNIST has no subsets",
        ),
    ],
)
def test_unknown_datasets_and_subsets_are_refused_with_the_nearest_name(given, message, tmp_path):
    (tmp_path / "overlay.yaml").write_text(f"datasets: {{x: {given}}}\n")
    with pytest.raises(Exception, match=message):
        load("config.yaml", tmp_path / "overlay.yaml")
