"""The same networks in PyTorch, as one writes them for speed on a processor: channels-last images, scaled
dot-product attention, sparse products or ``index_add`` for graphs. Needs torch and nothing of dljax;
steps_torch.py trains them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CourseCNN(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(1600, 10),
        )


class LeNet5(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            conv = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


class ResNet18(nn.Module):
    """With the 3x3 stem for small images."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        blocks, inputs = [], 64
        for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [BasicBlock(inputs, width, stride), BasicBlock(width, width, 1)]
            inputs = width
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def double(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(
            double(a, b) for a, b in zip((1, *widths[:-2]), widths[:-1], strict=True)
        )
        self.bottom = nn.Sequential(double(widths[-2], widths[-1]), nn.Dropout(0.5))
        up = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in up)
        self.up = nn.ModuleList(double(a, b) for a, b in up)
        self.output = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for upsample, block in zip(self.upsample, self.up, strict=True):
            x = block(torch.cat([skips.pop(), upsample(x)], 1))
        return self.output(x)


def generator(latent: int = 100, width: int = 64, channels: int = 3) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = latent
    for stage, scale in enumerate((8, 4, 2, 1)):
        where = (4, 2, 1) if stage else (4, 1, 0)
        layers += [
            nn.ConvTranspose2d(inputs, scale * width, *where, bias=False),
            nn.BatchNorm2d(scale * width),
            nn.ReLU(inplace=True),
        ]
        inputs = scale * width
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()
    )


def discriminator(width: int = 64, channels: int = 3) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = channels
    for stage, scale in enumerate((1, 2, 4, 8)):
        layers += [
            nn.Conv2d(inputs, scale * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(scale * width) if stage else nn.Identity(),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        inputs = scale * width
    return nn.Sequential(*layers, nn.Conv2d(inputs, 1, 4, bias=False), nn.Flatten(0))


class GCN(nn.Module):
    """The normalised adjacency is computed once, before training, as the authors' program does."""

    def __init__(self, senders: Tensor, receivers: Tensor, n: int, sparse: bool) -> None:
        super().__init__()
        own = torch.arange(n)
        senders, receivers = torch.cat([senders, own]), torch.cat([receivers, own])
        root = torch.bincount(receivers, minlength=n).float().rsqrt()
        weight = root[senders] * root[receivers]
        self.n, self.sparse = n, sparse
        if sparse:
            index = torch.stack([receivers, senders])
            coo = torch.sparse_coo_tensor(index, weight, (n, n)).coalesce()
            self.register_buffer("adjacency", coo.to_sparse_csr())
        for name, value in (("senders", senders), ("receivers", receivers), ("weight", weight)):
            self.register_buffer(name, value)
        self.lin0, self.lin1 = nn.Linear(1433, 16, bias=False), nn.Linear(16, 7, bias=False)
        self.bias0, self.bias1 = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(7))

    def spread(self, x: Tensor) -> Tensor:
        if self.sparse:
            return self.adjacency @ x
        sent = self.weight[:, None] * x[self.senders]
        return x.new_zeros(self.n, x.shape[1]).index_add(0, self.receivers, sent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.spread(self.lin0(F.dropout(x, 0.5))) + self.bias0
        x = F.dropout(F.relu(x), 0.5)
        return self.spread(self.lin1(x)) + self.bias1


class Residual(nn.Module):
    def __init__(self, inputs: int, width: int, times: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (
            nn.GroupNorm(groups, inputs, 1e-6),
            nn.GroupNorm(groups, width, 1e-6),
        )
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(times, width)
        self.shortcut = nn.Conv2d(inputs, width, 1) if inputs != width else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    """One head over all pixels."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        flat = self.norm(x).permute(0, 2, 3, 1).reshape(b, 1, h * w, c)
        mixed = F.scaled_dot_product_attention(*self.qkv(flat).chunk(3, -1))
        return x + self.output(mixed).reshape(b, h, w, c).permute(0, 3, 1, 2)


class DDPM(nn.Module):
    """dljax's "small" variant: one residual block a level, attention at the second and in the middle."""

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 64),
        layers: int = 1,
        attention: tuple[int, ...] = (1,),
        channels: int = 1,
        groups: int = 8,
    ) -> None:
        super().__init__()
        first, times = widths[0], 4 * widths[0]

        def block(inputs: int, width: int, attend: bool) -> nn.ModuleList:
            parts: list[nn.Module] = [Residual(inputs, width, times, groups)]
            return nn.ModuleList(parts + ([Attention(width, groups)] if attend else []))

        half = first // 2
        steps = torch.arange(half) * (-math.log(10_000) / (half - 1))
        self.register_buffer("frequency", torch.exp(steps))
        self.times = nn.Sequential(nn.Linear(first, times), nn.SiLU(), nn.Linear(times, times))
        self.input = nn.Conv2d(channels, first, 3, padding=1)
        self.down, self.shrink, skips, x = nn.ModuleList(), nn.ModuleList(), [first], first
        for level, width in enumerate(widths):
            for _ in range(layers):
                self.down.append(block(x, width, level in attention))
                x = width
                skips.append(x)
            last = level == len(widths) - 1
            self.shrink.append(nn.Identity() if last else nn.Conv2d(x, x, 3, 2))
            skips += [] if last else [x]
        self.middle = nn.ModuleList([block(x, x, True), block(x, x, False)])
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            for _ in range(layers + 1):
                self.up.append(block(x + skips.pop(), widths[level], level in attention))
                x = widths[level]
            self.grow.append(nn.Conv2d(x, x, 3, padding=1) if level else nn.Identity())
        self.layers, self.levels = layers, len(widths)
        self.norm = nn.GroupNorm(groups, x, 1e-6)
        self.output = nn.Conv2d(x, channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        def apply(block: nn.Module, x: Tensor) -> Tensor:
            residual, *attention = block
            x = residual(x, t)
            return attention[0](x) if attention else x

        angle = time.float()[:, None] * self.frequency
        t = self.times(torch.cat([angle.sin(), angle.cos()], -1))
        x = self.input(x)
        skips = [x]
        for level in range(self.levels):
            for layer in range(self.layers):
                x = apply(self.down[level * self.layers + layer], x)
                skips.append(x)
            if level < self.levels - 1:
                x = self.shrink[level](F.pad(x, (0, 1, 0, 1)))
                skips.append(x)
        for block in self.middle:
            x = apply(block, x)
        for level in range(self.levels):
            for layer in range(self.layers + 1):
                block = self.up[level * (self.layers + 1) + layer]
                x = apply(block, torch.cat([x, skips.pop()], 1))
            if level < self.levels - 1:
                x = self.grow[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.output(F.silu(self.norm(x)))
