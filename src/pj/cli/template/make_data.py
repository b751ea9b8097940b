"""Write shapes.npz: an example of how images of your own must be laid out, as four arrays.

    x_train, x_test  uint8 [N, H, W] (grey) or [N, H, W, 3] (colour), with H = W
    y_train, y_test  labels, one per image: whole numbers or text

Run it (`python make_data.py`), then remove the `#` before `shapes` in config.yaml, and write
`data: {name: shapes}` in the study. To use your own images, fill these arrays from them.
"""

import numpy as np

SIZE = 16


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images [count, SIZE, SIZE] in noise and labels [count]: 0 square, 1 disc, 2 cross."""
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 120, (count, SIZE, SIZE))
    labels = draw.integers(0, 3, count)
    for image, label in zip(images, labels, strict=True):
        y, x = np.mgrid[:SIZE, :SIZE] - draw.integers(6, SIZE - 6, (2, 1, 1))
        square = np.maximum(abs(y), abs(x)) <= 3
        disc = y**2 + x**2 <= 12
        cross = (np.minimum(abs(y), abs(x)) <= 1) & square
        image[(square, disc, cross)[label]] += 100
    return images.astype(np.uint8), labels


x_train, y_train = shapes(1000, seed=0)
x_test, y_test = shapes(300, seed=1)
np.savez("shapes.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
print(f"shapes.npz: {len(x_train)} training and {len(x_test)} test images of {SIZE}x{SIZE}, 3 classes")
