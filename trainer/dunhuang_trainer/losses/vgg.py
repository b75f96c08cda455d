"""VGG-16 up to its third pooling, frozen: what the eyes of the losses see.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, arXiv:1409.1556, configuration D. Layers are numbered as in torchvision.
"""

import torch
from torch import Tensor, nn

POOLS = (4, 9, 16)  # pool1, pool2, pool3
RELU3_1 = 11
CONVOLUTIONS = {  # layer: (channels in, channels out)
    0: (3, 64), 2: (64, 64),
    5: (64, 128), 7: (128, 128),
    10: (128, 256), 12: (256, 256), 14: (256, 256),
}  # fmt: skip
MEAN, STD = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # of ImageNet, as torchvision's weights ask


class VggFeatures(nn.Module):
    """The features of pictures after some layers of VGG-16.

    Its weights get no gradient; its input does. It has no layer that behaves differently while
    training.

    Parameters
    ----------
    weights : dict of str to Tensor
        Of all `CONVOLUTIONS`, named ``"0.weight"``, ``"0.bias"``, ``"2.weight"`` …
    layers : tuple of int
        Whose outputs are wanted, in order; nothing is computed beyond the last.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: dict[str, Tensor], layers: tuple[int, ...] = POOLS) -> None:
        super().__init__()
        self.wanted = layers
        used = [_layer(index) for index in range(layers[-1] + 1)]
        self.layers = nn.Sequential(*used)
        names = self.layers.state_dict()
        self.layers.load_state_dict({name: weights[name] for name in names}, strict=True)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        # as the convolutions of GPUs and of oneDNN like it best; results are the same
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features: (N, 3, H, W) in [0, 1] → one (N, C, H', W') per wanted layer.

        They are normalised here, and not by weights of the first layer, because that would make
        something else of its zero padding.
        """
        values, found = (pictures - self.mean) / self.std, []
        for index, layer in enumerate(self.layers):
            values = layer(values)
            if index in self.wanted:
                found.append(values)
        return found


def _layer(index: int) -> nn.Module:
    if index in CONVOLUTIONS:
        return nn.Conv2d(*CONVOLUTIONS[index], kernel_size=3, padding=1)
    # in place: no convolution needs its own output, and what is handed out is never a convolution's
    return nn.MaxPool2d(2) if index in POOLS else nn.ReLU(inplace=True)
