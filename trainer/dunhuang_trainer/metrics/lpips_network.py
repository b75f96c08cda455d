"""LPIPS: how different two pictures look to a network, with weights that the user brings.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018, version 0.1 of its authors' weights. The layers are torchvision's, so that its files of
weights fit; neither torchvision nor the authors' package is imported.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from dunhuang_data.errors import EnvironmentProblem, UsageProblem
from dunhuang_trainer.weight_files import hub_folder, pick_weights, read_weights

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in −1 … 1
FILES = {  # torchvision's, and their size
    "alex": ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "244 MB"),
    "vgg": ("https://download.pytorch.org/models/vgg16-397923af.pth", "553 MB"),
}
SEEN = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
"""The layers, by torchvision's numbers, whose outputs are compared: ReLUs."""
SMALLEST_PX = {"alex": 31, "vgg": 16}
"""The side of a picture below which the last of these has no pixel."""


def load_lpips(
    net: str = "alex", backbone: Path | None = None, linear: Path | None = None
) -> "LpipsNetwork":
    """Return the network that compares pictures, on the CPU, ready to judge.

    Parameters
    ----------
    net : str
        ``alex``, which its authors advise for judging, or ``vgg``.
    backbone : Path, optional
        torchvision's file of AlexNet or VGG-16; by default the one in torch's hub folder.
    linear : Path, optional
        The authors' weights of its layers; by default those in the package ``lpips``, if that is
        installed. The package is not imported.

    Raises
    ------
    UsageProblem
        If the network is neither.
    EnvironmentProblem
        If ``linear`` is not given, and the package is not installed.
    CheckpointError
        If a file is missing or holds something else: what to fetch, and where to put it.
    """
    if net not in FILES:
        raise UsageProblem(f"LPIPS by {net!r} is not known; choose one of {', '.join(FILES)}.")
    network = LpipsNetwork(net)
    url, size = FILES[net]
    path = hub_folder() / url.rpartition("/")[2] if backbone is None else backbone
    remedy = f"Download {url} ({size}) into {hub_folder()}, or name the file with --lpips-weights."
    found = read_weights(path, f"the weights of LPIPS's backbone {net}", remedy)
    found = {name.removeprefix("features."): value for name, value in found.items()}
    shapes = {name: tuple(value.shape) for name, value in network.layers.state_dict().items()}
    network.layers.load_state_dict(pick_weights(found, shapes, path, f"the backbone {net}"))

    path = _authors_file(net) if linear is None else linear
    remedy = (
        f"It is weights/v0.1/{net}.pth of the package lpips: pip install --no-deps lpips, or name "
        "it with --lpips-linear."
    )
    found = read_weights(path, "the linear weights of LPIPS", remedy)
    names = [f"lin{index}.model.1.weight" for index in range(len(network.linear))]
    shapes = {name: (1, len(one), 1, 1) for name, one in zip(names, network.linear, strict=True)}
    picked = pick_weights(found, shapes, path, f"the linear weights of LPIPS for {net}")
    for name, one in zip(names, network.linear, strict=True):
        one.copy_(picked[name].flatten())
    return network


class LpipsNetwork(nn.Module):
    """Compares pictures layer by layer; its weights are not trained.

    Parameters
    ----------
    net : str
        ``alex`` or ``vgg``.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: str) -> None:
        super().__init__()
        self.net = net
        self.layers = nn.Sequential(*(_alexnet() if net == "alex" else _vgg16()))
        widths = [layer.out_channels for layer in self.layers if isinstance(layer, nn.Conv2d)]
        used = widths if net == "alex" else [widths[k] for k in (1, 3, 6, 9, 12)]
        for index, width in enumerate(used):
            self.register_buffer(f"linear{index}", torch.zeros(width))
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    @property
    def linear(self) -> list[Tensor]:
        """The weights of the channels of each layer that is compared."""
        return [self.get_buffer(f"linear{index}") for index in range(len(SEEN[self.net]))]

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """Return the distance of each pair: (B, 3, H, W) in −1 … 1 twice → (B,)."""
        values = torch.cat([picture, target])
        values = (values - self.shift) / self.scale
        distance = picture.new_zeros(len(picture))
        seen = dict(zip(SEEN[self.net], self.linear, strict=True))
        for index, layer in enumerate(self.layers):
            values = layer(values)
            if index in seen:
                length = values.square().sum(dim=1, keepdim=True).sqrt()
                one, other = (values / (length + 1e-10)).chunk(2)
                weighted = (one - other).square() * seen[index].view(1, -1, 1, 1)
                distance = distance + weighted.sum(dim=1).mean(dim=(1, 2))
        return distance


def _authors_file(net: str) -> Path:
    found = find_spec("lpips")
    if found is None or found.origin is None:
        raise EnvironmentProblem(
            "The linear weights of LPIPS come with the package lpips, which is not installed. "
            "Install it with: pip install --no-deps lpips (it is not imported, and needs nothing "
            f"more), or name a copy of its weights/v0.1/{net}.pth."
        )
    return Path(found.origin).parent / "weights" / "v0.1" / f"{net}.pth"


def _alexnet() -> list[nn.Module]:
    """Return torchvision's AlexNet to its last ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU()]
    layers += [nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for inside, outside in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
    return layers


def _vgg16() -> list[nn.Module]:
    """Return VGG-16 to its last ReLU."""
    layers: list[nn.Module] = []
    inside = 3
    for block, (outside, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if block:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(count):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
            inside = outside
    return layers
