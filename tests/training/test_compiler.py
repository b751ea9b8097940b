"""Compiled trainings."""

import pytest
import torch
from packaging.version import Version

from helpers.runs import DEVICE, FINAL, assert_equal_runs, killed_after, train
from pj.errors import UserError
from pj.runs.records import read_metrics
from pj.training import build, compiler

needs_compiler = pytest.mark.skipif(
    bool(lacks := compiler.lacking(cuda=DEVICE != "cpu")), reason=f"not here: {lacks}"
)


@pytest.mark.long
@needs_compiler
def test_a_compiled_run_is_the_same_training_and_resumes_bit_for_bit(spec, digits, tmp_path, monkeypatch):
    plain, compiled = (spec(**FINAL, batch_size=100, compile=on) for on in (False, True))
    train(plain, digits, tmp_path / "plain")
    train(compiled, digits, tmp_path / "whole")
    rows = [read_metrics(tmp_path / name)[-1] for name in ("plain", "whole")]
    assert rows[1]["train_loss"] == pytest.approx(rows[0]["train_loss"], rel=1e-2)
    killed_after(3, monkeypatch, compiled, digits, tmp_path / "cut", tmp_path / "r", save_every=0)
    torch.compiler.reset()  # a new process compiles anew
    train(compiled, digits, tmp_path / "cut", resume=tmp_path / "r")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.long
@needs_compiler
def test_a_compiled_maximum_has_the_gradient_of_an_eager_one_in_bf16():
    """A value that is not rounded to bf16, as the maximum is, is not found among its equals: NaN."""
    if DEVICE == "cpu" and Version(torch.__version__) < Version("2.13"):
        pytest.skip("torch has no such rounding on a CPU before 2.13")

    class Maximum(torch.nn.Module):
        def forward(self, x):
            return (x * 1.01).relu().amax(dim=(2, 3))

    draw = torch.Generator().manual_seed(0)
    images = torch.randn(4, 5, 8, 8, generator=draw).to(DEVICE, torch.bfloat16)
    found = []
    for maximum in (Maximum(), build.compiled(Maximum())):
        x = images.clone().requires_grad_()
        maximum(x).float().square().sum().backward()
        found.append(x.grad)
    assert torch.equal(*found)


def test_compiling_without_a_compiler_is_one_message_that_says_what_to_do(
    spec, digits, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler .*compile: false"):
        train(spec(compile=True), digits, tmp_path / "run")
