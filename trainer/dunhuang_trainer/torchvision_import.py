"""Make torchvision importable beside a torch that its wheel was not built for.

The usual wheels of torchvision hold operators compiled for torch with CUDA. Beside a torch for the
CPU alone these do not load, and ``import torchvision`` fails with "operator torchvision::nms does
not exist". Its Python part asks only that two operators are declared; whoever does not detect
objects never calls them. The project itself needs no torchvision, only its files of weights; the
package that FID's network is from imports it, and so do peers of the tests and of the benchmarks.
"""

_kept: list[object] = []  # a declaration lasts as long as its library


def prepare_torchvision() -> None:
    """Declare the two operators if torchvision cannot be imported without.

    Call it before whatever imports torchvision.

    Raises
    ------
    ImportError
        If torch or torchvision is not installed.
    """
    import torch

    try:
        import torchvision  # type: ignore[import-untyped]  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            signature = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(signature)  # type: ignore[no-untyped-call]
        _kept.append(library)
