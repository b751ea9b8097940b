"""Build the table of train() and eval() by measuring PyTorch's layers."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pj.report.text.sheet import Sheet
from pj.training import modes
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    table = pd.DataFrame([asdict(row) for row in modes.statements()])
    shown = table.assign(holds=table["holds"].map({True: "yes", False: "no"}))
    Sheet("", shown).write(Path(snakemake.output.csv).parent, "table", table)
