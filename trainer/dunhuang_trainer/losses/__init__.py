"""What training makes small: the losses by name, and their terms."""

from dunhuang_trainer.losses.named import Loss, LossParts, check_features, make_loss

__all__ = ["Loss", "LossParts", "check_features", "make_loss"]
