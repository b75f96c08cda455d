"""What lets other projects' readers be imported here.

Streaming imports torchvision. The index has no build of torchvision for torch without CUDA, and its
usual wheel fails on import beside such a torch: "operator torchvision::nms does not exist". Its
Python part asks only that two operators are declared; nothing here calls them.
"""

from importlib.util import find_spec

if find_spec("torch") and find_spec("torchvision"):
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        KEPT = torch.library.Library("torchvision", "DEF")  # declared as long as it lives
        for name in ("nms", "qnms"):
            KEPT.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
