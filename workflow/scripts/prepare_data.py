"""Build results/data/<dataset>.npz from the dataset's source."""

import json
import logging
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from pj import files
from pj.config.components import Source
from pj.data import sources, store
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    content = json.loads(snakemake.params.settings)
    if snakemake.resources.folder:
        content["folder"] = snakemake.resources.folder
    source = TypeAdapter(Source).validate_python(content)
    dataset = sources.read(source)
    for note in dataset.notes:
        logging.getLogger("pj").warning("%s", note)
    made_from = {"source": json.loads(snakemake.params.settings), "content": snakemake.params.content}
    store.save(replace(dataset, made_from=made_from), Path(snakemake.output.data))
    about = {"sha256": dataset.sha256, "classes": dataset.names, "notes": dataset.notes}
    files.write_json(Path(snakemake.output.about), about | made_from)
