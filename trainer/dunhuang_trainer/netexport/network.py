"""The network as another program wants it: a picture of any size in, the restored picture out."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dunhuang_trainer.composite import composite
from dunhuang_trainer.model import DecoderLevel, PartialConvUNet
from dunhuang_trainer.push_pull import MID_GREY

Fill = Callable[[Tensor, Tensor], Tensor]
KNOWN_ABOVE = 0.5  # of ``valid``, which should hold nothing but 0 and 1


class ExportedNetwork(nn.Module):
    """A network with all that surrounds it in `dunhuang_trainer.restore`, for one tile.

    Padding to the multiple that the network needs, composition, clipping, and the mean colour of
    the known pixels where the network sees none: so that an exported file needs nothing beside it.

    Parameters
    ----------
    model : PartialConvUNet
        Its weights are copied.
    fill : callable
        The form of `dunhuang_trainer.push_pull.push_pull_fill` that can be exported.

    Notes
    -----
    No branch in it depends on a size. So a decoder that is ``"split"`` is that at small sizes too.
    """

    def __init__(self, model: PartialConvUNet, fill: Fill) -> None:
        super().__init__()
        self.network = PartialConvUNet(model.config)
        self.network.load_state_dict(model.state_dict())
        self.network.fill = fill
        for level in self.network.decoder:
            cast(DecoderLevel, level).split_from = 0
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Restore pictures.

        Parameters
        ----------
        image : (B, 3, H, W) float32
            sRGB in [0, 1]; holes may hold anything.
        valid : (B, 1, H, W) float32
            1 = known, 0 = hole.

        Returns
        -------
        (B, 3, H, W) float32
            Known pixels are those of ``image``, holes in [0, 1].
        """
        height, width = image.shape[-2:]
        multiple = self.network.config.multiple
        rows = (height + multiple - 1) // multiple * multiple
        columns = (width + multiple - 1) // multiple * multiple
        known = (valid > KNOWN_ABOVE).to(image.dtype)
        beyond = (0, columns - width, 0, rows - height)  # what lies there is a hole
        predicted, reached = self.network.predict(F.pad(image, beyond), F.pad(known, beyond))
        predicted = predicted[..., :height, :width].clamp(0, 1)
        reached = reached[..., :height, :width]
        filled = torch.where(reached > 0, predicted, mean_colour(image, known))
        return composite(filled, image, known)


def mean_colour(image: Tensor, known: Tensor) -> Tensor:
    """Return the mean of the known pixels, (B, 3, 1, 1); mid-grey where nothing is known."""
    count = known.sum(dim=(2, 3), keepdim=True)
    # row by row: onnxruntime adds numbers one after the other, and a million of them lose digits
    total = torch.where(known > 0, image, 0.0).sum(dim=3, keepdim=True).sum(dim=2, keepdim=True)
    return torch.where(count > 0, total / count.clamp(min=1), MID_GREY)
