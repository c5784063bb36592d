"""The instruments of dljax inspect that look into a network: (subject, options) -> pictures and numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dljax.cli.asked import Options, Shown, table
from dljax.cli.subject import Subject
from dljax.errors import UserError, nearest

if TYPE_CHECKING:
    import numpy as np


def _channels(wanted: Sequence[int] | None, layer: str, n: int, most: int) -> list[int]:
    found = list(range(min(n, most))) if wanted is None else list(wanted)
    if wrong := [c for c in found if not 0 <= c < n]:
        raise UserError(f"--channel {wrong[0]}: layer {layer!r} has channels 0 to {n - 1}")
    return found


def filters(subject: Subject, options: Options) -> Shown:
    """The weights on the image: a convolution's kernels, or a dense layer's on all pixels."""
    import jax
    import numpy as np

    from dljax.analysis import pictures

    kernels: dict[str, np.ndarray] = {}
    for player in subject.variables.params.values():
        for keys, leaf in jax.tree_util.tree_leaves_with_path(player):
            *home, last = jax.tree_util.keystr(keys, simple=True, separator="/").split("/")
            if last == "kernel":
                kernels["/".join(home)] = np.asarray(leaf, np.float32)
    h, w, c = subject.shape
    known: dict[str, np.ndarray] = {}
    for path in [p for p in subject.layers if p in kernels]:
        kernel = kernels[path]
        if kernel.ndim == 2 and len(kernel) == h * w * c and c in (1, 3) and not known:
            known[path] = kernel.reshape(h, w, c, -1)
        elif kernel.ndim == 4 and kernel.shape[2] in (1, 3):
            known[path] = kernel
    if not known:
        raise UserError(f"{subject.path}: no layer has weights on 1 or 3 channels, to be shown")
    layer = options.layer or next(iter(known))
    if layer not in known:
        raise UserError(
            f"no weights of {layer!r} can be shown as pictures; {nearest(layer, known)}"
        )
    kernel = known[layer]
    size = np.sqrt((kernel**2).sum((0, 1, 2)))
    enlarge = max(2, 48 // kernel.shape[0])
    shape = "x".join(map(str, kernel.shape[:3]))
    text = (
        f"{layer}: {len(size)} filters of {shape}, of norm {size.min():.3g} to {size.max():.3g}, "
        f"median {np.median(size):.3g}; {int((size < 0.1 * np.median(size)).sum())} are below a tenth "
        "of it\n"
    )
    return Shown({layer: pictures.filters(kernel, enlarge=enlarge)}, text)


def activations(subject: Subject, options: Options) -> Shown:
    """Feature maps of the first images (or of the files), of the channels that vary most."""
    import jax
    import numpy as np

    from dljax.analysis import activations as inner
    from dljax.analysis import heat
    from dljax.analysis.predictions import predict

    maps = [p for p, s in subject.layers.items() if inner.places(s)]
    if options.layer is None and maps:  # a tour: the beginning, the middle and the end
        layers = list(dict.fromkeys((maps[0], maps[len(maps) // 2], subject.layer(None, 3))))
    else:
        layers = [subject.layer(options.layer, 3)]
    n = min(options.limit or 4, len(subject.network.data.source))
    examples, logits = predict(subject.network, subject.variables, subject.network.data, n)
    image, guess = examples["image"], np.asarray(logits).argmax(-1)
    of = jax.jit(
        lambda v, x: inner.activations(subject.network.predict, v, {"image": x}, layers=layers)
    )
    found = of(subject.variables, image)
    captions = heat.answers(examples.get("label", guess), guess, subject.names)
    shown, words = {}, []
    for layer in layers:
        out = np.asarray(inner.as_maps(layer, found[layer]), np.float32)
        spread = out.std((0, 1, 2))
        most = np.argsort(-spread, kind="stable")[:8]
        some = list(most) if options.channels is None else options.channels
        some = _channels(some, layer, out.shape[-1], 8)
        rows = np.arange(image.shape[1]) * out.shape[1] // image.shape[1]
        columns = np.arange(image.shape[2]) * out.shape[2] // image.shape[2]
        large = out[:, rows][:, :, columns]
        shown[layer] = heat.table(image, {f"channel {c}": large[..., c] for c in some}, captions)
        active = (out > 0).mean((0, 1, 2))
        words.append(
            f"{layer}: {'x'.join(map(str, out.shape[1:]))}, {active.mean():.1%} above 0; "
            f"{int((active == 0).sum())} channels nowhere above 0\n"
        )
        words.append(
            table(
                ["channel", "mean", "deviation", "largest", "above 0"],
                [
                    [
                        c,
                        *(f"{x[c]:.3g}" for x in (out.mean((0, 1, 2)), spread, out.max((0, 1, 2)))),
                        f"{active[c]:.1%}",
                    ]
                    for c in some
                ],
            )
        )
    return Shown(shown, "".join(words))


def examples(subject: Subject, options: Options) -> Shown:
    """The examples that excite a layer's channels most, beside the optimized inputs."""
    from dljax.analysis.channel_examples import ChannelExamples

    layer = subject.layer(options.layer, 1, 2, 3)
    channels = _channels(options.channels, layer, subject.layers[layer][-1], 6)
    data = subject.network.data
    look = ChannelExamples(
        subject.network, data, layer, channels, steps=options.steps or 128, limit=options.limit
    )
    found = look.found(subject.variables)
    rows = []
    for c in channels:
        which = found.example[:, c]
        if subject.files:
            said = [subject.files[i].name for i in which]
        else:
            label = data.source.gather(which).get("label")
            said = [
                str(i) if label is None else f"{i} ({subject.name(int(label[rank]))})"
                for rank, i in enumerate(which)
            ]
        rows.append(
            [f"channel {c}", f"{found.value[0, c]:.4g}", f"{found.value[-1, c]:.4g}", *said]
        )
    heads = [
        "",
        "largest",
        f"of rank {len(found.value)}",
        "examples",
        *[""] * (len(found.value) - 1),
    ]
    text = f"{layer}, the strongest of {found.seen} examples\n" + table(heads, rows)
    return Shown({layer: look.picture(subject.variables, subject.key, found)}, text)


def visualize(subject: Subject, options: Options) -> Shown:
    """Inputs optimized for channels of a layer or, without one, for classes."""
    from dljax.analysis import heat, pictures

    if options.layer is not None and options.classes is not None:
        raise UserError("--class is one goal and --layer another: leave one out")
    if options.layer is None and options.channels is not None:
        raise UserError("--channel goes with --layer PATH (dljax inspect RUN lists them)")
    made = _of_classes if options.layer is None else _of_channels
    images, words, text = made(subject, options)
    side = max(1, 112 // subject.shape[0])
    shown = pictures.labelled(heat.colored(images), words, min(5, len(words)), enlarge=side)
    return Shown({options.layer or "classes": shown}, text)


def _of_channels(subject: Subject, options: Options) -> "tuple[np.ndarray, list[str], str]":
    """Optima of a layer's channels, captions, and their mean activations beside the set's."""
    from dljax.analysis.channel_examples import optimized_channels
    from dljax.analysis.predictions import predict

    network, variables, steps = subject.network, subject.variables, options.steps or 256
    layer = subject.layer(options.layer, 1, 2, 3)
    channels = _channels(options.channels, layer, subject.layers[layer][-1], 8)
    given = network.predict, variables, layer, channels, subject.shape, subject.key, steps
    images = optimized_channels(*given)
    excited = _mean_channels(subject, layer, images)
    some = predict(network, variables, network.data, 64).examples["image"]
    usual = _mean_channels(subject, layer, some)
    rows = [
        [
            f"channel {c}",
            *(f"{x:.4g}" for x in (excited[i, c], usual[:, c].mean(), usual[:, c].max())),
        ]
        for i, c in enumerate(channels)
    ]
    heads = ["mean activation of", "optimum", f"{len(usual)} examples", "the largest"]
    return images, [f"channel {c}" for c in channels], table(heads, rows)


def _of_classes(subject: Subject, options: Options) -> "tuple[np.ndarray, list[str], str]":
    """Optima of classes, captions, and their logits beside the set's."""
    import jax.numpy as jnp
    import numpy as np
    from scipy.special import softmax

    from dljax.analysis import feature_visualization
    from dljax.analysis.predictions import predict
    from dljax.analysis.saliency import of_images

    network, variables, steps = subject.network, subject.variables, options.steps or 256
    named = options.classes or [str(i) for i in range(min(10, subject.classes))]
    wanted = [subject.class_of(word) for word in named]
    index, logits = jnp.asarray(wanted), of_images(network.predict, variables)

    def goal(image):
        return feature_visualization.channels(logits(image), index)

    given = goal, subject.key, subject.shape
    images = feature_visualization.optimized_inputs(*given, batch=len(wanted), steps=steps)
    out = np.asarray(logits(jnp.asarray(images)), np.float64)
    real = np.asarray(predict(network, variables, network.data, 256).outputs)
    chance = softmax(out, axis=1)
    rows = [
        [subject.name(c), f"{out[i, c]:.4g}", f"{chance[i, c]:.1%}", f"{real[:, c].max():.4g}"]
        for i, c in enumerate(wanted)
    ]
    heads = ["logit of class", "optimum", "probability", f"largest of {len(real)} examples"]
    return images, [subject.name(c) for c in wanted], table(heads, rows)


def _mean_channels(subject: Subject, layer: str, image: Any) -> "np.ndarray":
    """Means over places of a layer's channels, [n, channels]."""
    import jax
    import numpy as np

    from dljax.analysis.activations import activations as activations_of

    def of(variables, image):
        given = {"image": image}
        out = activations_of(subject.network.predict, variables, given, layers=[layer])[layer]
        return out.mean(tuple(range(1, out.ndim - 1)))

    return np.asarray(jax.jit(of)(subject.variables, image), np.float32)


def atlas(subject: Subject, options: Options) -> Shown:
    """An activation atlas of a layer."""
    from dljax.analysis.activation_atlas import ActivationAtlas

    layer = subject.layer(options.layer, 1, 2, 3)
    look = ActivationAtlas(
        subject.network,
        subject.network.data,
        layer,
        subject.names,
        steps=options.steps or 128,
        limit=options.limit or 2000,
    )
    found = look.found(subject.variables, subject.key)
    text = (
        f"{layer}: {len(found.cell)} activations of {found.mean.shape[1]} channels; {len(found.filled)} "
        f"of {found.side**2} cells drawn, of {found.size.min()} to {found.size.max()} examples\n"
    )
    if (found.label >= 0).all():
        text += f"{found.purity:.1%} of the examples are of their cell's most frequent class\n"
    return Shown({layer: look.picture(subject.variables, subject.key, found)}, text)


def explanations(subject: Subject, options: Options) -> Shown:
    """Attributions of decisions: gradient, SmoothGrad, integrated gradients, Grad-CAM and occlusion."""
    import numpy as np
    from scipy.special import softmax

    from dljax.analysis import heat
    from dljax.analysis.activations import places
    from dljax.analysis.predictions import predict
    from dljax.analysis.saliency import Explanations, erased
    from dljax.data.pipeline import Arrays, EvalSet

    has_maps = any(places(shape) for shape in subject.layers.values())
    layer = subject.layer(options.layer, 3) if has_maps or options.layer else ""
    n = min(options.limit or 6, len(subject.network.data.source))
    look = Explanations(subject.network, subject.network.data, layer, subject.names, n)
    found = look.found(subject.variables, subject.key)
    captions = heat.answers(found.label, found.guess, subject.names)

    def chance(image) -> np.ndarray:
        data = EvalSet(Arrays({"image": np.asarray(image, np.float32)}))
        out = np.asarray(predict(subject.network, subject.variables, data).outputs, np.float64)
        return softmax(out, axis=1)[np.arange(len(out)), found.guess]

    at_random = np.random.default_rng(options.seed).random(found.image.shape[:3])
    left = {
        name: chance(erased(found.image, maps.astype(np.float32)))
        for name, maps in {**found.maps, "at random": at_random}.items()
    }
    rows = [
        [word, f"{p:.3f}", *(f"{x[i]:.3f}" for x in left.values())]
        for i, (word, p) in enumerate(zip(captions, chance(found.image), strict=True))
    ]
    text = (
        "probability of the guess, and what is left of it where the tenth of pixels is black that an "
        "explanation puts first\n" + table(["image", "whole", *left], rows)
    )
    text += f"Grad-CAM of layer {layer}\n" if layer else ""
    return Shown({"": heat.table(found.image, found.maps, captions)}, text)
