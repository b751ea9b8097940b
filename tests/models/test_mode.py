import pytest
from torch import nn

from pj.models.mode import eval_mode


def test_each_module_is_in_its_own_mode_again_though_something_fails():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval(), nn.Dropout())
    with pytest.raises(LookupError), eval_mode(model):
        assert not any(module.training for module in model.modules())
        raise LookupError
    assert [module.training for module in model] == [True, False, True] and model.training


def test_what_a_network_does_when_its_mode_changes_is_undone():
    class Fused(nn.Module):
        fused = False

        def train(self, mode=True):
            self.fused = not mode
            return super().train(mode)

    model = Fused()
    with eval_mode(model):
        assert model.fused
    assert not model.fused and model.training
