"""The same weights in a reference implementation and here give the same outputs.

Its outputs are stored by the scripts in ``tests/parity``. The weights are made again from names and
shapes, which the entries of ``dljax.weights`` invert from our variables, and come here through them.
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import (
    CLASSIFIERS,
    DDPM,
    IMPROVED,
    INCEPTIONS,
    KL_AUTOENCODER,
    LATENT_UNET,
    RESNETS,
    SHORT_RESNET_V2,
    SHORT_V3,
    SHORT_V4,
    TRANSLATION,
    UNET_VGG16,
    VIT,
    image,
    noisy,
    told,
)
from parity.recipe import weights
from parity_graphs import GRAPH_ROWS
from parity_representation import REPRESENTATION_ROWS
from parity_rows import DEEP, GOLDEN, NORMS, SHORT, Row
from parity_sequences import SEQUENCE_ROWS

from dljax import models
from dljax.models.adversarial import cyclegan, patchgan, pix2pix
from dljax.models.autoencoders import kl_autoencoder
from dljax.models.convnets import (
    alexnet,
    inception_resnet_v2,
    inception_v1,
    inception_v3,
    inception_v4,
    lenet,
    mobilenet_v2,
    resnet,
    resnet_cifar,
    vgg,
    xception,
)
from dljax.models.diffusion import ddpm, improved_ddpm, latent_unet
from dljax.models.segmentation import unet_vgg16
from dljax.models.super_resolution import espcn, fsrcnn, srresnet
from dljax.models.transformers import vit
from dljax.weights import alexnet as alexnet_names
from dljax.weights import cyclegan as cyclegan_names
from dljax.weights import ddpm as ddpm_names
from dljax.weights import espcn as espcn_names
from dljax.weights import from_variables, renamed, to_variables
from dljax.weights import fsrcnn as fsrcnn_names
from dljax.weights import improved_ddpm as improved_ddpm_names
from dljax.weights import inception_resnet_v2 as inception_resnet_v2_names
from dljax.weights import inception_v1 as inception_v1_names
from dljax.weights import inception_v3 as inception_v3_names
from dljax.weights import inception_v4 as inception_v4_names
from dljax.weights import kl_autoencoder as kl_autoencoder_names
from dljax.weights import latent_unet as latent_unet_names
from dljax.weights import lenet as lenet_names
from dljax.weights import mobilenet_v2 as mobilenet_v2_names
from dljax.weights import patchgan as patchgan_names
from dljax.weights import pix2pix as pix2pix_names
from dljax.weights import resnet as resnet_names
from dljax.weights import resnet_cifar as resnet_cifar_names
from dljax.weights import srresnet as srresnet_names
from dljax.weights import unet_vgg16 as unet_vgg16_names
from dljax.weights import vgg as vgg_names
from dljax.weights import vit as vit_names
from dljax.weights import xception as xception_names

pytestmark = pytest.mark.usefixtures("fast_forms")


_HIDDEN = {"hidden": (16, 16)}  # in place of (4096, 4096)


def inception(
    architecture: ModuleType,
    variant: str,
    changes: dict[str, Any],
    names: ModuleType,
    golden: str,
    map: str = "entries",
) -> Row:
    """A row whose outputs are in inceptions.npz; at a gain of sqrt(2), they still depend on the image."""
    inputs = (image(INCEPTIONS[golden.removeprefix("keras_")]),)
    file = ("inceptions.npz", golden)
    row = (architecture, variant, {"classes": 10, **changes}, names, inputs, file, DEEP)
    return Row(*row, gain=2**0.5, map=map)


ROWS = {
    **SEQUENCE_ROWS,
    **REPRESENTATION_ROWS,
    **GRAPH_ROWS,
    "diffusers' UNet2DModel": Row(
        ddpm, "cifar10", DDPM, ddpm_names, noisy(), ("ddpm.npz", "output"), NORMS, True
    ),
    "diffusers' AutoencoderKL": Row(
        kl_autoencoder,
        "f8",
        KL_AUTOENCODER,
        kl_autoencoder_names,
        noisy()[:1],
        ("latent.npz", "autoencoder"),
        NORMS,
    ),
    "diffusers' UNet2DConditionModel": Row(
        latent_unet,
        "stable",
        LATENT_UNET,
        latent_unet_names,
        (*noisy(), told()),
        ("latent.npz", "unet"),
        NORMS,
        True,
    ),
    "improved-diffusion's UNetModel": Row(
        improved_ddpm,
        "cifar10",
        IMPROVED,
        improved_ddpm_names,
        (*noisy(), np.array([2, 0])),
        ("improved_ddpm.npz", "network"),
        NORMS,
        True,
    ),
    "torch's CIFAR ResNet-20": Row(
        resnet_cifar,
        "20",
        {},
        resnet_cifar_names,
        (image(RESNETS["cifar20"]),),
        ("resnets.npz", "cifar20"),
        DEEP,
    ),
    **{
        f"torchvision's ResNet-{name}": Row(
            resnet,
            name,
            {"classes": 10},
            resnet_names,
            (image(RESNETS[name]),),
            ("resnets.npz", name),
            DEEP,
        )
        for name in ("18", "50")
    },
    **{
        what: Row(
            architecture,
            variant,
            {**changes, "classes": 10},
            names,
            (image(CLASSIFIERS[name]),),
            ("classifiers.npz", name),
            DEEP,
        )
        for what, name, architecture, variant, changes, names in (
            ("torchvision's AlexNet", "alexnet", alexnet, "imagenet", _HIDDEN, alexnet_names),
            ("torchvision's VGG11", "vgg11_bn", vgg, "11-bn", _HIDDEN, vgg_names),
            (
                "torchvision's MobileNetV2",
                "mobilenet_v2",
                mobilenet_v2,
                "1.0",
                {},
                mobilenet_v2_names,
            ),
            ("timm's ViT", "vit", vit, "S/16", VIT, vit_names),
        )
    },
    "smp's U-Net on VGG16": Row(
        unet_vgg16,
        "16-bn",
        UNET_VGG16,
        unet_vgg16_names,
        (image(64),),
        ("segmentation.npz", "unet_vgg16"),
        DEEP,
        True,
        gain=2**0.5,
    ),
    **{
        f"the authors' {name}": Row(
            architecture,
            variant,
            changes,
            names,
            (image(TRANSLATION[name]),),
            ("image_translation.npz", name),
            DEEP,
            channels_first,
        )
        for name, architecture, variant, changes, names, channels_first in (
            ("cyclegan", cyclegan, "9", {"width": 8, "blocks": 2}, cyclegan_names, True),
            ("pix2pix", pix2pix, "256", {"width": 4, "levels": 6}, pix2pix_names, True),
            (
                "pix2pix_instance",
                pix2pix,
                "256-instance",
                {"width": 4, "levels": 5},
                pix2pix_names,
                True,
            ),
            ("patchgan", patchgan, "70", {"width": 8}, patchgan_names, False),
            ("patchgan_batch", patchgan, "70-batch", {"width": 8}, patchgan_names, False),
        )
    },
    "a port of LeNet-5": Row(
        lenet,
        "net",
        {},
        lenet_names,
        (image(32)[..., :1],),
        ("lenet.npz", "output"),
        SHORT,
        gain=2**0.5,
    ),
    **{
        f"a port of {name}": Row(
            architecture,
            variant,
            changes,
            names,
            (image(12)[..., :channels],),
            ("super_resolution.npz", name),
            DEEP,
            True,
        )
        for name, architecture, variant, changes, names, channels in (
            ("espcn", espcn, "x3", {}, espcn_names, 1),
            ("fsrcnn_x2", fsrcnn, "x2", {}, fsrcnn_names, 1),
            ("fsrcnn_x3", fsrcnn, "x3", {}, fsrcnn_names, 1),
            ("srresnet", srresnet, "leftthomas", {"blocks": 2}, srresnet_names, 3),
            ("srresnet_prelu", srresnet, "leftthomas-x2", {"blocks": 2}, srresnet_names, 3),
        )
    },
    "torchvision's GoogLeNet": inception(
        inception_v1, "torchvision-auxiliary", {}, inception_v1_names, "v1"
    ),
    "torchvision's Inception v3": inception(
        inception_v3, "torchvision", SHORT_V3, inception_v3_names, "v3"
    ),
    "Keras' Inception v3": inception(
        inception_v3, "keras", {}, inception_v3_names, "keras_v3", "keras_entries"
    ),
    "timm's Inception v4": inception(inception_v4, "4", SHORT_V4, inception_v4_names, "v4"),
    "timm's Inception-ResNet v2": inception(
        inception_resnet_v2, "timm", SHORT_RESNET_V2, inception_resnet_v2_names, "resnet_v2"
    ),
    "Keras' Inception-ResNet v2": inception(
        inception_resnet_v2,
        "keras",
        {},
        inception_resnet_v2_names,
        "keras_resnet_v2",
        "keras_entries",
    ),
    "timm's Xception": inception(xception, "timm", {}, xception_names, "xception"),
    "Keras' Xception": inception(
        xception, "paper", {}, xception_names, "keras_xception", "keras_entries"
    ),
}
# Of full depth: their maps of names are tested apart, their networks are those of the other rows.
LONG = ("Keras' Inception v3", "Keras' Inception-ResNet v2")
table = pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=name, marks=[pytest.mark.deep] * (name in LONG))
        for name, row in ROWS.items()
    ],
)


def empty(row: Row) -> tuple[Any, Any]:
    """The model, and its variables as zeros."""
    model = models.build(row.architecture, row.variant, **row.changes)
    inputs = map(jnp.asarray, row.inputs)
    shapes = jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, train=False), *inputs)
    return model, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


def recipe(entries, variables, gain: float = 1.0) -> dict[str, np.ndarray]:
    """The reference's state."""
    here = from_variables(entries, variables)
    return weights({name: array.shape for name, array in here.items()}, gain)


@table
def test_same_weights_same_outputs(row):
    model, zeros = empty(row)
    entries = row.entries(model)
    variables = to_variables(entries, recipe(entries, zeros, row.gain))
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, dict(zeros))
    variables = jax.tree.map(jnp.asarray, variables)
    inputs = map(jnp.asarray, row.inputs)
    out = jax.jit(lambda v, *x: model.apply(v, *x, train=False))(variables, *inputs)
    if row.first:
        out = out[0]
    if isinstance(out, tuple):  # of several arrays, flattened in a row
        out = jnp.concatenate([x.reshape(len(x), -1) for x in out], 1)
    file, name = row.golden
    golden = np.load(GOLDEN / file)[name]
    golden = golden.transpose(0, 2, 3, 1) if row.channels_first else golden
    share, relative = row.tolerance
    np.testing.assert_allclose(out, golden, atol=share * np.abs(golden).max(), rtol=relative)


@table
def test_there_and_back(row):
    """Bit for bit, also under other names; but of two biases that are added, the first has all."""
    model, zeros = empty(row)
    entries = row.entries(model)
    state = recipe(entries, zeros, row.gain)
    back = from_variables(entries, to_variables(entries, state))
    for first, second in [e.names for e in entries if "bias_ih" in e.names[0] and e.join]:
        state[first], state[second] = state[first] + state[second], 0 * state[second]
    assert back.keys() == state.keys()
    for name in state:
        np.testing.assert_array_equal(back[name], state[name], name)
    saved = {f"module.{name}": array for name, array in state.items()}
    other = renamed(entries, "", "module.")
    jax.tree.map(
        np.testing.assert_array_equal, to_variables(other, saved), to_variables(entries, state)
    )


# Arrays of the libraries' files that are no weights of their own.
BESIDES = {
    "transformers' GPT-2": (
        "lm_head.weight",
        "transformer.h.0.attn.bias",
        "transformer.h.2.attn.masked_bias",
    ),
    "transformers' BERT": ("embeddings.position_ids",),
    "torch's CIFAR ResNet-20": ("layer3.2.bn2.num_batches_tracked",),
    "torchvision's ResNet-50": (
        "bn1.num_batches_tracked",
        "layer1.0.downsample.1.num_batches_tracked",
        "layer4.2.bn3.num_batches_tracked",
    ),
    # A head that the network here is without.
    "torchvision's Inception v3": (
        "AuxLogits.conv1.conv.weight",
        "AuxLogits.conv1.bn.running_var",
        "AuxLogits.fc.bias",
        "Mixed_5b.branch1x1.bn.num_batches_tracked",
    ),
}


@pytest.mark.parametrize("name", BESIDES)
def test_what_their_files_hold_besides(name):
    model, zeros = empty(ROWS[name])
    entries = ROWS[name].entries(model)
    state = from_variables(entries, zeros)
    assert not state.keys() & set(BESIDES[name])
    more = {**state, **{other: np.array(5) for other in BESIDES[name]}}
    jax.tree.map(np.testing.assert_array_equal, to_variables(entries, more), dict(zeros))
