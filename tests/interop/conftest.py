"""What lets other projects' readers be imported here: Streaming imports torchvision."""

from importlib.util import find_spec

if find_spec("torch") and find_spec("torchvision"):
    from dunhuang_trainer.torchvision_import import prepare_torchvision

    prepare_torchvision()
