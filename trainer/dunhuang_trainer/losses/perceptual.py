"""The two losses that look through VGG-16, term by term: (B,) tensors, one value per image."""

import torch
from torch import Tensor, nn

from dunhuang_trainer.losses.terms import (
    Pictures,
    dilated,
    full_precision,
    gram,
    image_mean,
    pairs,
    variation,
)
from dunhuang_trainer.losses.vgg import VggFeatures


class PosterTerms(nn.Module):
    """The terms of the seed project's poster, in the form of its code, image by image.

    Parameters
    ----------
    vgg : VggFeatures
        Up to relu3_1.
    """

    def __init__(self, vgg: VggFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pictures: Pictures) -> dict[str, Tensor]:
        """Return content and style of the composite, in squares, and its squared variation."""
        (seen,) = self.vgg(pictures.composite)
        with torch.no_grad():
            (wanted,) = self.vgg(pictures.target)
        with torch.autocast(seen.device.type, enabled=False):
            seen, wanted = full_precision(seen), full_precision(wanted)
            content = (seen - wanted).square().mean(dim=(1, 2, 3))
            style = (gram(seen) - gram(wanted)).square().mean(dim=(1, 2))
        down, across = variation(pictures.composite, _rim(pictures), power=2)
        pairs_down, pairs_across = pairs(pictures.counted)
        tv = 2 * (down / pairs_down + across / pairs_across)
        return {"content": content, "style": style, "tv": tv}


class PaperTerms(nn.Module):
    """The terms of Liu et al. 2018, arXiv:1804.07723, section 3.2, all in absolute differences.

    Parameters
    ----------
    vgg : VggFeatures
        With pool1, pool2 and pool3.
    """

    def __init__(self, vgg: VggFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pictures: Pictures) -> dict[str, Tensor]:
        """Return the five terms; prediction and composite pass VGG-16 as one batch."""
        both = self.vgg(torch.cat((pictures.predicted, pictures.composite)))
        with torch.no_grad():
            target = self.vgg(pictures.target)
        zero = pictures.target.new_zeros(len(pictures.target))
        terms = {"perceptual": zero, "style": zero}
        with torch.autocast(zero.device.type, enabled=False):
            for seen, wanted in zip(both, target, strict=True):
                seen, wanted = full_precision(seen), full_precision(wanted)
                for name, pair in (
                    ("perceptual", (seen, wanted)),
                    ("style", (gram(seen), gram(wanted))),
                ):
                    terms[name] = terms[name] + _mean_differences(*pair)
        return terms | self._pixel_terms(pictures)

    def _pixel_terms(self, pictures: Pictures) -> dict[str, Tensor]:
        error = (pictures.predicted - pictures.target).abs()
        down, across = variation(pictures.composite, _rim(pictures), power=1)
        count = 3 * pictures.counted.sum(dim=(1, 2, 3))
        return {
            "valid_l1": image_mean(torch.where(pictures.hole, 0.0, error), pictures.counted),
            "hole_l1": image_mean(torch.where(pictures.hole, error, 0.0), pictures.counted),
            "tv": (down + across) / count.clamp(min=1),
        }


def _mean_differences(both: Tensor, target: Tensor) -> Tensor:
    """Return mean |prediction − target| plus mean |composite − target|: (2B, …), (B, …) → (B,)."""
    halves = both.view(2, *target.shape)
    return (halves - target).abs().flatten(2).mean(dim=2).sum(dim=0)


def _rim(pictures: Pictures) -> Tensor:
    """Return holes and the pixels next to them, without damage: where variation counts."""
    return dilated(pictures.hole) & pictures.counted
