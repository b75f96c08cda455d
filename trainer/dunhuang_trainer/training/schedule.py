"""The learning rate of every step: a function of the settings, so it needs no state."""

from math import cos, pi

from dunhuang_trainer.config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    config : TrainConfig
    step : int
        1 to ``config.steps``.

    Notes
    -----
    It rises in a straight line over ``warmup`` steps, to the full rate at the last of them. Then it
    stays, or falls along half a cosine (Loshchilov and Hutter 2017, ICLR, arXiv:1608.03983), to
    nearly zero at the last step, which still learns a little.
    """
    if step < config.warmup:
        return config.learning_rate * step / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    begun = max(1, config.warmup)
    passed = (step - begun) / max(1, config.steps + 1 - begun)
    return config.learning_rate * (1 + cos(pi * passed)) / 2
