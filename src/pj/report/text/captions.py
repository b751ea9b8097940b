"""What figures show, in words: for both pages."""

FIGURES = {  # what lies beside a table, by its file's name, and what it shows to those who cannot see it
    "curves": "loss and accuracy by epoch, one line a variant",
    "probes": "what probes along the runs found, with batch norm and without",
    "path": "share of each layer's units in the support, by epoch",
    "weights": "absolute weights of a layer, a picture a variant",
    "pruning": "test accuracy against the share of units removed, a line an order of removal",
    "landscape": "the loss along one direction and over planes of two",
    "image": "a test image, three channels of some layers' feature maps, and Grad-CAM by layer",
    "sheet": "test images of each class, with Grad-CAM below each",
    "tests": "deletion curves by layer against random maps; correlations as weights are randomised",
}
