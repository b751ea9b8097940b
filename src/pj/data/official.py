"""What is known of datasets before they are downloaded. Loads no torch.

After Krizhevsky 2009 (CIFAR), LeCun et al. 1998 (MNIST), Xiao et al. 2017 (Fashion-MNIST), Clanuwat et al.
2018 (KMNIST), Netzer et al. 2011 (SVHN), Coates et al. 2011 (STL-10) and Cohen et al. 2017, table II (EMNIST,
whose files of letters hold more than it says, so they are not listed).
"""

from __future__ import annotations

# Classes, channels and side of torchvision's datasets, where that depends on no option.
SHAPES = {
    **{"CIFAR10": (10, 3, 32), "CIFAR100": (100, 3, 32), "SVHN": (10, 3, 32), "STL10": (10, 3, 96)},
    **{"MNIST": (10, 1, 28), "FashionMNIST": (10, 1, 28), "KMNIST": (10, 1, 28)},
}
# Their training and test images.
COUNTS = {
    **{"CIFAR10": (50_000, 10_000), "CIFAR100": (50_000, 10_000), "SVHN": (73_257, 26_032)},
    **{"MNIST": (60_000, 10_000), "FashionMNIST": (60_000, 10_000), "KMNIST": (60_000, 10_000)},
    "STL10": (5_000, 8_000),
}
EMNIST_TEST_IMAGES = {
    **{"balanced": 18_800, "byclass": 116_323, "bymerge": 116_323},
    **{"digits": 40_000, "mnist": 10_000},
}
# Megabytes of the archives that are downloaded.
DOWNLOADS = {
    **{"CIFAR10": 170, "CIFAR100": 169, "SVHN": 246, "STL10": 2640, "EMNIST": 562},
    **{"MNIST": 12, "FashionMNIST": 31, "KMNIST": 21},
}
DIGITS = (1_437, 360)  # training and test images of scikit-learn's, as pj splits them
