"""Build the table of train() and eval() by measuring PyTorch's layers."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pj import files, modes
from pj.jobs import logged

with logged(snakemake.log[0]):
    table = pd.DataFrame([asdict(row) for row in modes.measure()])
    files.write_text(Path(snakemake.output.csv), table.to_csv(index=False))
    table["holds"] = table["holds"].map({True: "yes", False: "no"})
    files.write_text(Path(snakemake.output.markdown), table.to_markdown(index=False) + "\n")
