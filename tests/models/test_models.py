import pytest
import torch
import torch.nn.functional as F

from pj import models
from pj.models.full_convnet import CentreTapConv2d

# SCIENCE: exact parameter counts of the networks that the reports trained.
PARAMETERS = [
    ("convnet", {}, 22_724_682),
    ("resnet9", {}, 2_274_890),
    ("plain9", {}, 2_274_890),
    ("cbam_resnet9", {}, 2_286_094),
    ("full_convnet", {}, 220_363_338),
    ("res_full_convnet", {}, 179_828_234),
    ("wide_resnet", {"depth": 16, "widen_factor": 8}, 10_961_370),
    ("wide_resnet", {"depth": 22, "widen_factor": 8}, 17_158_106),
    ("vgg_a", {}, 9_750_922),
    ("vgg_a", {"batch_norm": True}, 9_756_426),
    ("lenet", {"in_channels": 1}, 61_706),
    ("dessi_vgg", {}, 21_949_194),
    ("mlp", {}, 3_159_050),
    ("cnn", {}, 3_268_874),
]


@pytest.mark.parametrize(("name", "options", "count"), PARAMETERS)
def test_every_network_has_exactly_its_parameters(name, options, count):
    with torch.device("meta"):
        model = models.create(name, **options)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("name", models.names())
def test_every_network_maps_images_to_one_logit_a_class_and_learns(name):
    size, channels = (28, 1) if name == "lenet" else (32, 3)
    model = models.create(name, num_classes=7, in_channels=channels, image_size=size, width=0.1)
    logits = model(torch.randn(4, channels, size, size))
    assert logits.shape == (4, 7)
    F.cross_entropy(logits, torch.arange(4)).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("name", models.names())
def test_width_makes_a_network_narrower(name):
    sizes = [
        sum(p.numel() for p in models.create(name, in_channels=1, image_size=32, width=w).parameters())
        for w in (0.125, 0.25)
    ]
    assert sizes[0] < sizes[1]


def test_an_unknown_network_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'resnet'.*resnet9"):
        models.create("resnet")


@pytest.mark.parametrize("name", ["convnet", "full_convnet", "vgg_a", "lenet", "resnet9"])
def test_images_too_small_for_a_network_are_refused(name):
    with pytest.raises(ValueError, match="pixels"):
        models.create(name, image_size=2)


def test_the_centre_tap_gives_the_convolutions_output_and_gradients():
    torch.manual_seed(0)
    layer = CentreTapConv2d(5, 6).double()
    x = torch.randn(3, 5, 1, 1, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 6, 1, 1, dtype=torch.float64)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    wanted = torch.autograd.grad(expected, (x, layer.weight, layer.bias), upstream)
    got = torch.autograd.grad(layer(x), (x, layer.weight, layer.bias), upstream)
    torch.testing.assert_close(layer(x), expected)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_the_gradient_of_a_centre_tap_has_the_memory_order_of_its_weight_so_that_it_is_not_copied():
    layer = CentreTapConv2d(5, 6).to(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(layer(torch.randn(3, 5, 1, 1)).sum(), [layer.weight])
    assert gradient.stride() == layer.weight.stride()
    assert gradient[:, :, 1, 1].abs().min() > 0 == gradient[:, :, 0].abs().max()


def test_a_wide_resnet_starts_from_zero_logits_and_kaiming_convolutions():
    model = models.create("wide_resnet", depth=10, widen_factor=4)
    assert model(torch.randn(2, 3, 32, 32)).abs().max() == 0
    weight = model.groups[2][0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (weight.shape[1] * 9)) ** 0.5, rel=0.02)


def test_vgg_a_starts_from_xavier_weights_and_zero_biases():
    model = models.create("vgg_a")
    weight = model.head[1].weight
    assert weight.std().item() == pytest.approx((2 / (512 + 512)) ** 0.5, rel=0.02)
    assert all(m.bias.abs().max() == 0 for m in model.modules() if isinstance(m, torch.nn.Linear))


def test_resnet9_ends_in_the_maximum_over_the_map():
    model = models.create("resnet9", width=0.1).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(x), model.head(model.features(x).flatten(2).max(dim=2).values))


def test_dropout2d_drops_whole_channels_of_the_cnn():
    model = models.create("cnn", width=0.25, dropout=0.5, dropout2d=True).train()
    dropped = model.features[3](torch.ones(8, 32, 6, 6))
    per_channel = dropped.flatten(2)
    assert ((per_channel == 0).all(dim=2) | (per_channel == 2).all(dim=2)).all()
    assert (per_channel == 0).any()


def kinds(module):
    """Return the class names of the layers inside, in order of definition, without containers."""
    return [type(m).__name__ for m in module.modules() if not list(m.children())]


def test_report_bs_networks_have_the_reports_order_of_layers():
    assert kinds(models.create("mlp")) == ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    block = ["Conv2d", "BatchNorm2d", "ReLU", "Dropout", "MaxPool2d"]
    assert kinds(models.create("cnn")) == [*block, *block, "Flatten", "Linear"]


def test_the_convnets_stages_pool_last_and_its_head_drops_after_its_activation():
    block = ["Conv2d", "BatchNorm2d", "ReLU"]
    stages = [*block * 2, "MaxPool2d", *block * 2, "MaxPool2d", *block * 3, "MaxPool2d"]
    head = ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]
    assert kinds(models.create("convnet", width=0.1)) == stages + head


def test_dessi_vgg_adds_its_skip_before_the_last_relu():
    model = models.create("dessi_vgg", width=0.1).eval()
    x = torch.randn(2, 3, 32, 32)
    third = model.conv3(model.pool(model.conv2(model.pool(model.conv1(x)))))
    convolution, norm = model.conv4
    features = F.max_pool2d(F.relu(norm(convolution(third)) + third), 2)
    torch.testing.assert_close(model(x), model.head(features))


def test_a_residual_block_adds_its_shortcut_before_the_relu():
    block = models.create("resnet9", width=0.1).features[2].eval()
    x = torch.randn(2, 13, 6, 6)
    (first, norm1, _), (second, norm2) = block.residual
    torch.testing.assert_close(block(x), F.relu(norm2(second(F.relu(norm1(first(x))))) + x))


def test_the_attention_block_attends_to_channels_then_places_and_skips_from_after_its_first_relu():
    block = models.create("cbam_resnet9", width=0.25).features[2].eval()
    x = torch.randn(2, 32, 6, 6)
    (first, norm1, _), (second, norm2) = block.entry, block.residual
    start = F.relu(norm1(first(x)))
    y = norm2(second(start))
    mlp = block.channel_attention.mlp
    pooled = mlp(F.adaptive_avg_pool2d(y, 1)) + mlp(F.adaptive_max_pool2d(y, 1))
    y = torch.sigmoid(pooled) * y
    places = torch.stack([y.mean(dim=1), y.max(dim=1).values], dim=1)
    y = torch.sigmoid(block.spatial_attention.conv(places)) * y
    torch.testing.assert_close(block(x), F.relu(y + start))


def test_plain9_is_resnet9_without_its_shortcuts():
    plain, residual = (models.create(name, width=0.1).eval() for name in ("plain9", "resnet9"))
    plain.load_state_dict(residual.state_dict())
    x = torch.randn(2, plain.features[2].residual[0][0].in_channels, 6, 6)
    torch.testing.assert_close(residual.features[2](x), F.relu(residual.features[2].residual(x) + x))
    torch.testing.assert_close(plain.features[2](x), F.relu(residual.features[2].residual(x)))


def test_a_wide_residual_block_activates_before_it_convolves():
    block = models.create("wide_resnet", depth=10, widen_factor=1).groups[1][0].eval()
    x = torch.randn(2, 16, 8, 8)
    start = F.relu(block.bn1(x))
    residual = block.conv2(F.relu(block.bn2(block.conv1(start))))
    torch.testing.assert_close(block(x), residual + block.shortcut(start))
