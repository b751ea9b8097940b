"""What figures show, in words: for both pages."""

from pj.config.analyses import ANALYSES

OF_STUDIES = {  # what lies beside a table, by its file's name, and what it shows to those who cannot see it
    "curves": "loss and accuracy by epoch, one line per variant",
    "probes": "what probes along the runs found, with batch norm and without",
    "path": "share of each layer's units in the support, by epoch",
    "weights": "absolute weights of a layer, one picture per variant",
}
FIGURES = OF_STUDIES | {
    name: figure.shows for analysis in ANALYSES.values() for name, figure in analysis.figures.items()
}
