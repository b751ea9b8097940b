import json

import pytest
import torch

from pj.data import store
from pj.data.batches import Split
from pj.data.store import DataError
from pj.runs.evaluation import confusion, evaluate
from pj.runs.records import RecordError, read_metrics
from pj.training import loop, modes

MLP = {"model": {"name": "mlp", "width": 0.1}, "select": "best_validation"}


def evaluated(spec, digits, folder, **changes):
    loop.train(spec(**changes), 0, digits, folder)
    evaluate(folder, digits, folder / "evaluation.json")
    return json.loads((folder / "evaluation.json").read_text())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_checkpoint_measures_what_its_epoch_measured(spec, digits, tmp_path, precision):
    result = evaluated(spec, digits, tmp_path, **MLP, epochs=4, precision=precision)
    row = read_metrics(tmp_path)[result["selected"]["epoch"] - 1]
    for split in ("validation", "test"):
        for quantity in ("loss", "accuracy"):
            assert result["selected"][split][quantity] == row[f"{split}_{quantity}"]
    assert result["selected"]["running_train_accuracy"] == row["train_accuracy"]


def test_last_and_best_test_epoch_are_kept_apart_from_the_selection(spec, digits, tmp_path):
    result = evaluated(spec, digits, tmp_path, **MLP, epochs=6, optimizer={"name": "sgd", "lr": 0.5})
    metrics = read_metrics(tmp_path)
    assert result["last"] == metrics[-1]
    assert result["best_test"]["test_accuracy"] == max(row["test_accuracy"] for row in metrics)
    validation = [row["validation_accuracy"] for row in metrics]
    assert result["selected"]["epoch"] == 1 + validation.index(max(validation))


def test_training_accuracy_is_clean_and_in_eval_mode(spec, digits, tmp_path):
    """Dropout of 0.9 ruins the running accuracy, not the clean one."""
    model = {"name": "mlp", "width": 0.1, "dropout": 0.9}
    result = evaluated(spec, digits, tmp_path, **MLP | {"model": model}, epochs=12)
    assert result["selected"]["train"]["accuracy"] > result["selected"]["running_train_accuracy"] + 5


def test_the_confusion_matrix_counts_every_test_image_in_its_classs_row(spec, digits, tmp_path):
    result = evaluated(spec, digits, tmp_path, **MLP)
    rows = torch.tensor(result["confusion"])
    labels = torch.from_numpy(store.load(digits).y_test[:100])
    assert torch.equal(rows.sum(dim=1), torch.bincount(labels, minlength=10))
    assert rows.diag().sum().item() == pytest.approx(result["selected"]["test"]["accuracy"])
    predicted = torch.tensor(result["predicted"])
    assert result["wrong"] == [i for i in range(100) if predicted[i] != labels[i]]
    assert 0 < len(result["wrong"]) == 100 - rows.diag().sum().item()


def test_confusion_puts_the_true_class_in_the_row():
    split = Split(torch.empty(3, 1), torch.tensor([0, 1, 1]))
    logits = torch.eye(3)[[2, 1, 0]]  # predicts 2, 1, 0
    assert confusion(logits, split, 3) == [[0, 0, 1], [1, 1, 0], [0, 0, 0]]


def test_a_diverged_run_has_no_selected_weights(spec, digits, tmp_path):
    changes = {"optimizer": {"name": "sgd", "lr": 1e30}, "model": {"name": "vgg_a", "width": 0.1}}
    result = evaluated(spec, digits, tmp_path, **changes)
    assert result["state"] == "diverged"
    assert "selected" not in result
    assert result["last"] is None and result["best_test"] is None
    assert result["diverged_at_step"] > 0


def test_other_data_than_the_run_was_trained_on_are_refused(spec, digits, tmp_path, arrays):
    loop.train(spec(epochs=1), 0, digits, tmp_path)
    store.save(store.checked(arrays, 3, "other"), tmp_path / "other.npz")
    with pytest.raises(DataError, match="is not the data that"):
        evaluate(tmp_path, tmp_path / "other.npz", tmp_path / "evaluation.json")
    assert not (tmp_path / "evaluation.json").exists()


def test_an_unfinished_run_is_refused(digits, tmp_path):
    with pytest.raises(RecordError, match="has not finished"):
        evaluate(tmp_path, digits, tmp_path / "evaluation.json")


def test_train_and_eval_do_what_report_b_says():
    rows = modes.statements()
    assert {(r.layer, r.mode) for r in rows} == {
        (layer, mode) for layer in ("BatchNorm", "Dropout", "Dropout2d") for mode in ("train", "eval")
    }
    assert [r.statement for r in rows if not r.holds] == []


def test_the_table_of_modes_is_measured_and_not_written(monkeypatch):
    """A batch norm that normalised by the unbiased variance would be found out."""

    def unbiased(self, x):
        mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True)
        return (x - mean) / (variance + self.eps).sqrt()

    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", unbiased)
    failed = {r.statement for r in modes.statements() if not r.holds}
    assert "normalises by the batch's mean and biased variance" in failed
    assert "normalises by the running values" in failed
