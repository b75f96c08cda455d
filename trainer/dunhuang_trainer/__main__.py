"""``python -m dunhuang_trainer`` is ``dunhuang-train``: torchrun starts modules, not commands.

This is the only place where the trainer calls the shell.
"""

from dunhuang_cli.train import main

main()
