"""A user's own code in a configuration: found, checked and hashed without importing it."""

import ast
import json
import sys

import pytest

from helpers import own_code
from pj import syntax
from pj.config import libraries, loading, own, printing, schema
from pj.config.spec import RunSpec, network_name

CONFIG = """
seeds: [0]
datasets: {digits: {source: digits}}
studies:
  own:
    title: Own
    base:
      data: {name: digits, train: 100, test: 50}
      model: {class: "my_nets.py:TinyNet", options: {hidden: 4}}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.05}
      epochs: 1
      batch_size: 50
    variants: {a: {}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    own_code.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch_is_not_needed_here", None)
    return tmp_path


@pytest.fixture
def load(folder):
    """The configuration with some text replaced, as a process that has read nothing yet reads it."""

    def read(*replaced):
        syntax.parsed.cache_clear()
        own._content.cache_clear()
        text = CONFIG
        for before, after in replaced:
            assert before in text
            text = text.replace(before, after)
        (folder / "config.yaml").write_text(text)
        return loading.load("config.yaml")

    return read


def run_of(config):
    (run,) = config.runs().values()
    return run.spec


def test_editing_a_file_or_what_it_imports_beside_it_makes_another_run_and_a_comment_does_not(load, folder):
    first = run_of(load())
    assert first.run.startswith("digits-TinyNet-")
    for file, old, new, same in (
        ("my_nets.py", '"""Tiny."""', '"""Small."""  # a comment', True),
        ("my_nets.py", "stride=2", "stride=1", False),
        ("parts.py", "padding=1", "padding=1, bias=False", False),
    ):
        before = (folder / file).read_text()
        (folder / file).write_text(before.replace(old, new))
        assert (run_of(load()).run == first.run) == same, (file, new)
        (folder / file).write_text(before)
    assert run_of(load()).run == first.run


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("nets/part.py", "from nets.part import K"),
        ("root.py", "from root import K"),
        ("nets/part.py", "from part import K"),
        ("nets/part.py", 'import importlib\n\nK = importlib.import_module("nets.part").K'),
        ("root.py", 'K = __import__("root").K'),
    ],
)
@pytest.mark.parametrize("target", ["nets/net.py:Net", "nets.net:Net"])
def test_what_a_file_imports_from_anywhere_in_the_project_is_part_of_its_runs(
    place, line, target, load, folder
):
    (folder / "nets").mkdir()
    (folder / "nets" / "net.py").write_text(
        f"{line}\n\n\nclass Net:\n    def __init__(self, hidden=K): ...\n"
    )
    (folder / place).write_text("K = 3\n")
    change = ('"my_nets.py:TinyNet"', f'"{target}"')
    first = run_of(load(change)).run
    (folder / place).write_text("K = 5\n")
    assert run_of(load(change)).run != first


def test_the_hash_of_a_file_is_the_same_in_every_version_of_python():
    """Worked by hand: what newer versions add to a function's tree is empty here."""
    tree = ast.parse("def f(x): return x")
    tree.body[0].type_params = []  # of Python 3.12
    assert syntax.Writer().text(tree) == (
        "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x')]),"
        "body=[Return(value=Name(id='x',ctx=Load()))])])"
    )


def test_another_component_is_not_changed_by_an_edit(load, folder):
    change = ('model: {class: "my_nets.py:TinyNet", options: {hidden: 4}}', "model: {name: mlp, width: 0.02}")
    first = run_of(load(change))
    (folder / "my_nets.py").write_text("")
    assert run_of(load(change)).run == first.run


def test_a_class_replaces_a_named_component_and_the_other_way_round(load):
    named = load(("variants: {a: {}}", "variants: {a: {model: {name: mlp, width: 0.02}}}"))
    assert run_of(named).model.model_dump()["width"] == 0.02 and run_of(named).model.name == "mlp"
    optimizer = '{a: {optimizer: {class: "my_nets.py:Lion", options: {lr: 0.01}}}}'
    assert run_of(load(("{a: {}}", optimizer))).optimizer.lr == 0.01
    changed = run_of(load(("{a: {}}", "{a: {model: {options: {depth: 2}}}}")))
    assert changed.model.options == {"hidden": 4, "depth": 2}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("hidden: 4", "hiden: 4", "has no option 'hiden'. It has: hidden, depth. Did you mean 'hidden'?"),
        ("hidden: 4", "num_classes: 4", "has no option 'num_classes'"),
        (":TinyNet", ":TinyNt", "my_nets.py has no class or function TinyNt. It has: TinyNet"),
        ("my_nets.py:", "my_net.py:", "my_net.py does not exist in .* Did you mean 'my_nets.py'?"),
        ("my_nets.py:", "my_nets:", "has no class or function TinyNet|hidden"),
        ('"my_nets.py:TinyNet"', "TinyNet", 'allowed: "file.py:Name" or "package.module:Name"'),
        ('"my_nets.py:TinyNet"', "nowhere.nets:Net", "there is no module nowhere.nets"),
        ('"my_nets.py:TinyNet"', "my_nets.json:Net", "there is no module my_nets.json"),
        ("hidden: 4}", "hidden: 4}, hiden: 5", "unknown key 'hiden'. Allowed: name, class, options "),
        ("hidden: 4}", "hidden: 4}, content: abc", "model: unknown key 'content'; .* pj fills in itself"),
        ("{source: digits}", '{class: "my_nets.py:images", content: a}', "digits: unknown key 'content'"),
        ("{digits: {source: digits}}", "{}", "unknown name 'digits'. There are none "),
        ("{name: cross_entropy}", '{class: "my_nets.py:focal", options: {target: 1}}', "no option 'target'"),
        ("{name: sgd, lr: 0.05}", '{class: "torch.optim:Adamax", options: {lrr: 1}}', "Did you mean 'lr'"),
        ("{name: cross_entropy}", '{class: "torch.nn:NLLLos"}', "Did you mean 'NLLLoss'"),
        ('"my_nets.py:TinyNet"', "3", "Input should be a valid string|allowed: a valid string"),
        ("{name: sgd, lr: 0.05}", '{class: "my_nets.py:Lion"}', "optimizer.options needs lr"),
        ("epochs: 1", 'epochs: 1\n      schedule: {class: "my_nets.py:halving"}', "needs the option every"),
    ],
)
def test_what_cannot_be_used_is_one_message_that_names_what_there_is(load, before, after, message):
    if after == "my_nets:":  # as a module, which is found beside config.yaml
        assert run_of(load((before, after))).run
        return
    with pytest.raises(loading.ConfigError, match=message) as error:
        load((before, after))
    assert str(error.value).startswith("1 fault")


def test_what_a_loss_calls_its_batch_is_no_option_and_what_its_class_takes_is_one(load, folder):
    (folder / "losses.py").write_text(
        "def one(output, labels, power=2): ...\n"
        "def few(output): ...\n"
        "class Made:\n    def __init__(self, target=1): ...\n"
    )

    def loss(name, option):
        return load(("{name: cross_entropy}", f'{{class: "losses.py:{name}", options: {{{option}: 1}}}}'))

    assert loss("one", "power") and loss("Made", "target")
    with pytest.raises(loading.ConfigError, match=r"has no option 'labels'. It has: power \("):
        loss("one", "labels")
    with pytest.raises(loading.ConfigError, match=r"takes 1 argument by place; it is given logits, target"):
        loss("few", "power")


@pytest.mark.parametrize(("width", "half"), [("8", 4), ("3", 2), ("1", 1), ("0.5", 0.25), (None, 8)])
def test_a_scale_multiplies_an_own_width_which_stays_a_whole_number(load, folder, width, half):
    (folder / "wide.py").write_text("class Net:\n    def __init__(self, num_classes, width=16): ...\n")
    options = f"options: {{width: {width}}}" if width else "options: {}"
    change = ('"my_nets.py:TinyNet", options: {hidden: 4}', f'"wide.py:Net", {options}')
    scale = ("seeds: [0]", "seeds: [0]\nscale: {name: narrow, width: 0.5}")
    found = run_of(load(change, scale)).model.options["width"]
    assert found == half and type(found) is type(half)
    with pytest.raises(loading.ConfigError, match="the model TinyNet has no width that is a number"):
        load(scale)


def test_layers_are_counted_with_the_defaults_of_options_that_are_not_given(load, folder):
    (folder / "deep.py").write_text(
        "class Net:\n    LAYERS = {'conv': 'depth + 1', 'linear': 1}\n"
        "    def __init__(self, num_classes, depth=2): ...\n"
    )
    network = '"my_nets.py:TinyNet", options: {hidden: 4}'
    assert run_of(load((network, '"deep.py:Net"'))).layers == ["conv1", "conv2", "conv3", "linear1"]
    options = '"deep.py:Net", options: {depth: 1}'
    assert run_of(load((network, options))).layers == ["conv1", "conv2", "linear1"]


def test_folders_without_init_and_files_of_any_encoding_are_read(load, folder):
    net = "class Net:\n    def __init__(self, hidden=1): ...\n"
    (folder / "nets" / "inner").mkdir(parents=True)
    (folder / "nets" / "inner" / "net.py").write_text(net)
    (folder / "marked.py").write_bytes(b"\xef\xbb\xbf" + net.encode())
    (folder / "latin.py").write_bytes(f"# coding: latin-1\nNAME = 'é'\n{net}".encode("latin-1"))
    for target in ("nets.inner.net:Net", "marked.py:Net", "latin.py:Net"):
        assert run_of(load(('"my_nets.py:TinyNet"', f'"{target}"'))).model.options == {"hidden": 4}
    with pytest.raises(loading.ConfigError, match=r"nets.inner is a folder without __init__.py"):
        load(('"my_nets.py:TinyNet"', '"nets.inner:Net"'))


@pytest.mark.parametrize(
    ("file", "target", "where"),
    [
        ("json.py", "json.py:Net", "a module of Python"),
        ("json.py", "json:Net", "a module of Python"),
        ("types/net.py", "types.net:Net", "a module of Python"),
        ("yaml.py", "yaml.py:Net", "installed in .*yaml"),
        ("torch/net.py", "torch.net:Net", "installed in .*torch"),
    ],
)
def test_a_file_that_another_module_hides_is_one_message(load, folder, file, target, where):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("class Net:\n    def __init__(self, hidden=1): ...\n")
    with pytest.raises(
        loading.ConfigError, match=f"is also {where}, and one hides the other; rename"
    ) as error:
        load(('"my_nets.py:TinyNet"', f'"{target}"'))
    assert str(error.value).startswith("1 fault")


def test_what_pj_fills_in_is_not_shown(load, folder):
    config = load()
    (variant,) = config.variants
    assert variant.spec.model.content
    assert "content" not in printing.variant(variant, config, {})
    data = load(("{source: digits}", '{class: "my_nets.py:images"}'))
    assert "my_nets.py:images" in (text := printing.whole({}, data, {}, "", defaults=True))
    assert "content" not in text
    assert "content" not in json.dumps(schema.of_config())


def test_a_file_that_is_no_python_is_named_with_its_line(load, folder):
    (folder / "my_nets.py").write_text("class TinyNet(\n")
    with pytest.raises(loading.ConfigError, match=r"my_nets.py, line 1"):
        load()


def test_options_of_an_inherited_constructor_are_checked_and_those_from_elsewhere_are_not(load):
    assert run_of(load((":TinyNet", ":Wide")))
    with pytest.raises(loading.ConfigError, match="has no option 'size'"):
        load((":TinyNet", ":Wide"), ("hidden: 4", "size: 4"))
    loss = '{class: "torch.nn:CrossEntropyLoss", options: {label_smoothing: 0.1}}'
    assert run_of(load(("{name: cross_entropy}", loss)))


def test_a_specification_names_its_network_wherever_it_is_read(load, folder):
    found = run_of(load())
    for file in ("my_nets.py", "parts.py"):
        (folder / file).unlink()
    again = RunSpec.from_json(found.json_text)
    assert again.run == found.run and again.layers is None
    assert network_name(again).startswith("digits-TinyNet-")


def test_networks_of_libraries_are_known_by_name_without_importing_them(monkeypatch):
    spec = {
        "data": {"name": "d"}, "loss": {"name": "mse"}, "optimizer": {"name": "sgd", "lr": 0.1},
        "epochs": 1, "batch_size": 2,
    }  # fmt: skip

    def network(**options):
        return RunSpec.model_validate(spec | {"model": {"name": "torchvision", **options}})

    assert network(arch="resnet18").run.startswith("d-resnet18-")
    with pytest.raises(ValueError, match=r"no classifier 'resnt18'. Did you mean 'resnet18'\?"):
        network(arch="resnt18")
    with pytest.raises(
        ValueError, match=r"options: torchvision's resnet18 has no option 'dropout'. It has: z"
    ):
        network(arch="resnet18", options={"dropout": 0.1})
    for options in ({"weights": "DEFAULT"}, {"pretrained": True}, {"num_classes": 3}):
        with pytest.raises(ValueError, match=f"model.options: {next(iter(options))} is no option"):
            network(arch="resnet18", options=options)
    assert network(arch="mobilenet_v3_small", options={"dropout": 0.1})
    with pytest.raises(ValueError, match="Did you mean 'dropout'"):  # which torchvision would ignore
        network(arch="mobilenet_v3_small", options={"dropot": 0.1})
    with pytest.raises(ValueError, match="cifar_stem is known for resnet"):
        network(arch="vgg11", cifar_stem=True)
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"timm is not installed: pip install timm"):
        RunSpec.model_validate(spec | {"model": {"name": "timm", "arch": "resnet18"}})
