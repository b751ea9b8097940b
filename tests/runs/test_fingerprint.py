import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.project import ROOT, edit


@pytest.fixture
def project(tmp_path):
    """A copy of the package and the scripts, to edit."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    return tmp_path


@pytest.fixture(scope="module")
def unedited():
    """The fingerprints of the sources as they are, where they are."""
    return fingerprints(ROOT)


def printed(code, project):
    """Return the words that Python code prints which imports a project's pj."""
    command, environment = [sys.executable, "-c", code], {"PYTHONPATH": "src"}
    run = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    return run.stdout.split()


def fingerprints(project):
    """Return the fingerprints of training a resnet9 and an mlp, and of the figures."""
    code = """
from pathlib import Path
from pj.runs.fingerprint import fingerprint
s = Path("workflow/scripts")
def of(model, optimizer):
    return fingerprint(s / "train.py", {"pj.models": model, "pj.losses": "mse", "pj.optim": optimizer})
figures = fingerprint(s / "study.py", {"pj.report": "figures"})
print(of("resnet9", "sgd"), of("mlp", "adamw"), of("mlp", "sam"), figures)
"""
    return dict(zip(("resnet9", "mlp", "sam", "figures"), printed(code, project), strict=True))


def changed(before, project, file, old, new, found=fingerprints):
    """Return which fingerprints an edit changes, by those before it."""
    edit(project, file, old, new)
    after = found(project)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        ("src/pj/models/mlp.py", "HIDDEN = 1024", "HIDDEN = 1025", {"mlp", "sam"}),
        ("src/pj/models/resnet9.py", "ratio: int = 16", "ratio: int = 8", {"resnet9"}),
        ("src/pj/data/steps.py", "images > 1", "images > 2", {"resnet9", "mlp", "sam"}),
        ("src/pj/data/layout.py", "multiply it by 255", "multiply them by 255", set()),
        ("src/pj/models/blocks.py", "max(4,", "max(5,", {"resnet9", "mlp", "sam"}),
        ("src/pj/optim/sam.py", "1e-12", "1e-11", {"sam"}),
        ("src/pj/losses/regression.py", "logits.softmax(dim=1)", "logits", {"resnet9", "mlp", "sam"}),
        ("src/pj/losses/kl_div.py", "batchmean", "sum", set()),
        ("src/pj/training/loop.py", "SAVE_EVERY = 60.0", "SAVE_EVERY = 61.0", {"resnet9", "mlp", "sam"}),
        ("src/pj/report/figures/style.py", "LOG_SPREAD = 50", "LOG_SPREAD = 51", {"figures"}),
        ("src/pj/report/tables/studies.py", "test (%), last epoch", "last", set()),
        ("workflow/scripts/train.py", "keep=True", "keep=False", {"resnet9", "mlp", "sam"}),
        # a new entry, or a new schema, is nobody else's concern
        ("src/pj/models/__init__.py", "REGISTRY = {", 'REGISTRY = {"new": "pj.models.mlp:MLP",', set()),
        ("src/pj/runs/provenance.py", '"numpy"', '"pandas"', set()),
        ("src/pj/training/build.py", 'arguments({"name"})', "arguments(set())", {"resnet9", "mlp", "sam"}),
        ("src/pj/report/text/labels.py", "{scale.name} scale", "{scale.name} size", {"figures"}),
        ("src/pj/config/types.py", "le=4", "le=5", set()),
    ],
)
def test_an_edit_changes_the_fingerprints_of_what_uses_it(unedited, project, file, old, new, wanted):
    assert changed(unedited, project, file, old, new) == wanted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HIDDEN = 1024", "HIDDEN = 1024  # a comment"),
        ("HIDDEN = 1024", "HIDDEN = (\n    1024\n)"),
        ('"""A multilayer perceptron with one hidden layer."""', '"""Another docstring."""'),
        ('        """Map images [N, C, H, W] to logits [N, K]."""\n', ""),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(unedited, project, old, new):
    assert changed(unedited, project, "src/pj/models/mlp.py", old, new) == set()


def test_the_registrys_entry_of_the_run_itself_counts(unedited, project):
    old, new = '"mlp": "pj.models.mlp:MLP"', '"mlp": "pj.models.cnn:CNN"'
    assert changed(unedited, project, "src/pj/models/__init__.py", old, new) == {"mlp", "sam"}


def test_relative_imports_and_annotated_registries_are_followed(project):
    for file, old, new in (
        ("src/pj/models/mlp.py", "from pj.models.blocks import", "from .blocks import"),
        ("src/pj/models/__init__.py", "REGISTRY = {", "REGISTRY: dict[str, str] = {"),
    ):
        path = project / file
        path.write_text(path.read_text().replace(old, new))
    before = fingerprints(project)
    assert changed(before, project, "src/pj/models/blocks.py", "max(4,", "max(5,") >= {"mlp"}
    before = fingerprints(project)
    mlp = "src/pj/models/mlp.py"
    assert changed(before, project, mlp, "HIDDEN = 1024", "HIDDEN = 1025") == {"mlp", "sam"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("training/observers.py", "REGISTRY = {", "TABLE = {", "has no dictionary REGISTRY"),
        ("models/__init__.py", '"vgg_a":', '"vgg":', "no entry 'vgg_a'"),
        ("models/__init__.py", '"mlp":', '"vgg_a":', "two components are named 'vgg_a'"),
    ],
)
def test_a_registry_that_cannot_be_followed_is_an_error_and_not_a_hole(project, file, old, new, message):
    path = project / "src" / "pj" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(subprocess.CalledProcessError) as error:
        of_a_probed_run_and_others(project)
    assert message in error.value.stderr


TRAINED = {"plain", "probed", "mixed", "augmented", "averaged"}


def of_a_probed_run_and_others(project):
    code = """
from pathlib import Path
from pj.config.spec import RunSpec
from pj.runs.fingerprint import fingerprint, run_fingerprint
s, chosen = Path("workflow/scripts"), {"pj.models": "vgg_a", "pj.losses": "mse", "pj.optim": "sgd"}
measured = fingerprint(s / "measure.py", chosen, ["pj.landscape.surface:measure"])
def of(data=(), **more):
    parts = {"model": {"name": "vgg_a"}, "loss": {"name": "mse"}, "optimizer": {"name": "sgd", "lr": 0.1}}
    run = parts | {"data": {"name": "x", **dict(data)}, "epochs": 1, "batch_size": 2, **more}
    return run_fingerprint(s / "train.py", RunSpec.model_validate(run))
augmented = of({"cutout": {"side": 4}, "jitter": {"hue": 0.1}})
probed = of(probe={"every": 1, "ics": ["conv1"]})
print(of(), probed, of({"cutmix": {}}), augmented, measured, of(ema={}))
"""
    names = ("plain", "probed", "mixed", "augmented", "landscape", "averaged")
    return dict(zip(names, printed(code, project), strict=True))


@pytest.fixture(scope="module")
def probed_unedited():
    return of_a_probed_run_and_others(ROOT)


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        ("src/pj/training/probing.py", "step % self.spec.every", "step % (self.spec.every + 1)", {"probed"}),
        ("src/pj/landscape/probes.py", "w + step * line", "w + 2 * step * line", {"probed", "landscape"}),
        ("src/pj/landscape/surface.py", "TOLERANCE = 1e-3", "TOLERANCE = 1e-4", {"landscape"}),
        ("src/pj/training/averaging.py", "self.new_values, 0)", "self.new_values, 1)", {"averaged"}),
        ("src/pj/training/loop.py", "SAVE_EVERY = 60.0", "SAVE_EVERY = 61.0", TRAINED),
        ("src/pj/data/mixing.py", "0.5 * (1 - kept)", "0.4 * (1 - kept)", {"mixed"}),
        ("src/pj/data/mixup.py", "lerp(images", "lerp(2 * images", set()),
        ("src/pj/data/erasing.py", "ATTEMPTS = 10", "ATTEMPTS = 11", {"augmented"}),
        ("src/pj/data/colour.py", "0.587", "0.586", {"augmented"}),
        ("src/pj/runs/finished.py", "precision or spec.precision", "spec.precision", {"landscape"}),
    ],
)
def test_the_code_of_probes_mixtures_and_landscapes_concerns_those_alone(
    probed_unedited, project, file, old, new, wanted
):
    assert changed(probed_unedited, project, file, old, new, of_a_probed_run_and_others) == wanted


def test_what_is_imported_for_type_checkers_alone_does_not_count(project):
    path = project / "src/pj/models/mlp.py"
    text = path.read_text()
    first = "from __future__ import annotations\n"
    found = []
    for body in ("pass", "from pj.report import figures"):
        guarded = f"{first}\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    {body}\n"
        path.write_text(text.replace(first, guarded))
        found.append(fingerprints(project))
    assert found[0] == found[1]


def moved(project, old, new):
    """Move a module of pj, and rewrite all that import it, with their imports in another order."""
    source, target = (project / "src" / Path(*name.split(".")).with_suffix(".py") for name in (old, new))
    target.parent.mkdir(exist_ok=True)
    source.rename(target)
    (target.parent / "__init__.py").touch()
    (old_parent, _, old_name), (new_parent, _, new_name) = old.rpartition("."), new.rpartition(".")
    for path in [*(project / "src").rglob("*.py"), *(project / "workflow").rglob("*.py")]:
        text = path.read_text()
        text = text.replace(f"from {old} import", f"from {new} import").replace(f'"{old}:', f'"{new}:')
        line = re.search(rf"^ *from {old_parent} import .*\b{old_name}\b.*$", text, re.MULTILINE)
        if line and old_parent == new_parent:
            text = text.replace(line[0], re.sub(rf"\b{old_name}\b", new_name, line[0]))
            text = re.sub(rf"(?<![\w.]){old_name}\.(?=\w)", f"{new_name}.", text)
        lines = text.split("\n")
        there = [i for i, line in enumerate(lines) if re.match(r"from pj\S* import [^(]*$", line)]
        for i, line in zip(there, sorted((lines[i] for i in there), reverse=True), strict=True):
            lines[i] = line
        path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pj.models.blocks", "pj.models.pieces"),
        ("pj.models.mlp", "pj.models.perceptron"),
        ("pj.training.accuracy", "pj.tools.measuring"),
        ("pj.report.text.labels", "pj.words.labels"),
        ("pj.files", "pj.storage"),
    ],
)
def test_moving_and_renaming_a_module_and_sorting_imports_change_nothing(unedited, project, old, new):
    moved(project, old, new)
    assert fingerprints(project) == unedited


def test_importing_another_function_of_the_same_name_counts(unedited, project):
    (project / "src/pj/models/other.py").write_text("def scaled(size, width):\n    return size\n")
    old, new = "from pj.models.blocks import scaled", "from pj.models.other import scaled"
    assert changed(unedited, project, "src/pj/models/mlp.py", old, new) == {"mlp", "sam"}


def test_two_functions_of_one_name_that_change_places_count(project):
    (project / "src/pj/models/other.py").write_text("def scaled(size, width):\n    return size\n")
    mlp, found = project / "src/pj/models/mlp.py", []
    code = mlp.read_text().replace("scaled(HIDDEN, width)", "scaled(HIDDEN, width) + other(0, 0)")
    for first, second in (("blocks", "other"), ("other", "blocks")):
        imports = f"from pj.models.{first} import scaled\nfrom pj.models.{second} import scaled as other"
        mlp.write_text(code.replace("from pj.models.blocks import scaled", imports))
        found.append(fingerprints(project)["mlp"])
    assert found[0] != found[1]


def test_every_other_file_of_the_package_counts_where_it_is_used():
    """A template that no fingerprint followed would be edited without any page being written again."""
    package = ROOT / "src" / "pj"
    others = [p for p in package.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    assert others
    for path in others:
        users = [
            module for module in package.rglob("*.py") if path.parent.parent == module.parent
            and f'"{path.relative_to(module.parent).as_posix()}"' in module.read_text()
        ]  # fmt: skip
        assert users, f"no module names {path}"


def test_editing_a_template_changes_the_fingerprint_of_the_page_alone(project):
    code = """
from pathlib import Path
from pj.runs.fingerprint import fingerprint
print(*(fingerprint(Path("workflow/scripts/page.py"), {"pj.report": name}) for name in ("page", "report")))
"""
    template = project / "src/pj/report/pages/templates/report.html.j2"
    before = printed(code, project)
    template.write_text(template.read_text().replace("Which claims were reproduced</h1>", "Claims</h1>"))
    after = printed(code, project)
    assert before[0] != after[0] and before[1] == after[1]


def test_both_of_two_things_of_one_name_are_followed(project):
    """Two functions of a module may import different things under one name."""
    for name in ("first", "second"):
        (project / f"src/pj/models/{name}.py").write_text("def helper():\n    return 1\n")
    mlp = project / "src/pj/models/mlp.py"
    mlp.write_text(
        mlp.read_text()
        + "\n\ndef one():\n    from pj.models.first import helper\n    return helper()\n"
        + "\n\ndef two():\n    from pj.models.second import helper\n    return helper()\n"
    )
    before = fingerprints(project)
    assert changed(before, project, "src/pj/models/first.py", "return 1", "return 2") == {"mlp", "sam"}
    before = fingerprints(project)
    assert changed(before, project, "src/pj/models/second.py", "return 1", "return 3") == {"mlp", "sam"}


def test_a_schedule_concerns_the_runs_that_use_it(project):
    code = """
from pathlib import Path
from pj.config.components import MODELS
from pj.config.spec import RunSpec
from pj.runs.fingerprint import run_fingerprint
def of(schedule):
    return run_fingerprint(Path("workflow/scripts/train.py"), RunSpec.model_validate({
        "data": {"name": "d"}, "model": {"name": "mlp"}, "loss": {"name": "mse"},
        "optimizer": {"name": "sgd", "lr": 0.1}, "schedule": {"name": schedule}, "epochs": 1, "batch_size": 2,
    }))
print(of("constant"), of("cosine"))
"""
    before = printed(code, project)
    old = '"cosine": "pj.training.schedule:cosine"'
    edit(project, "src/pj/training/schedule.py", old, old.replace(":cosine", ":constant"))
    after = printed(code, project)
    assert before[0] == after[0] and before[1] != after[1]
