"""What figures show, in words: for both pages, and for those who cannot see them."""

from pj.config.analyses import ANALYSES

OF_STUDIES = {  # what lies beside a study's table, by its file's name
    "curves": "loss and accuracy by epoch, one line per variant",
    "probes": "what probes along the runs found, with batch norm and without",
    "path": "share of each layer's units in the support, by epoch",
    "weights": "absolute weights of a layer, one picture per variant",
}


def of(room: str) -> dict[str, str]:
    """Return what the figures below ``studies`` or below an analysis show, by their file's name."""
    if room == "studies":
        return OF_STUDIES
    return {name: figure.shows for name, figure in ANALYSES[room].figures.items()}
