"""Captions of figures for both pages, which are also their text alternatives."""

from pj.config.analyses import ANALYSES

OF_STUDIES = {  # the figures of a study, by file name
    "curves": "loss and accuracy by epoch, one line per variant",
    "sweep": "accuracy against the value that is swept, mean and 95 % interval over seeds",
    "probes": "measurements during training, with batch norm and without",
    "path": "share of each layer's units in the support, by epoch",
    "weights": "absolute weights of a layer, one panel per variant",
}


def of(kind: str) -> dict[str, str]:
    """Return the captions of the figures below ``studies`` or below an analysis, by file name."""
    if kind == "studies":
        return OF_STUDIES
    return {name: figure.shows for name, figure in ANALYSES[kind].figures.items()}
