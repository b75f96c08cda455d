"""What lets other projects' readers be imported here.

Streaming imports torchvision. The index has no build of torchvision for torch without CUDA, and its
usual wheel fails on import beside such a torch: "operator torchvision::nms does not exist". Its
Python part asks only that two operators are declared; nothing here calls them.
"""

from importlib.util import find_spec

if find_spec("torch") and find_spec("torchvision"):
    import torch

    try:
        import torchvision  # type: ignore[import-untyped]  # noqa: F401
    except RuntimeError:
        KEPT = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            signature = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            KEPT.define(signature)  # type: ignore[no-untyped-call]
