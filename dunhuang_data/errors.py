"""One family of errors. A message says what was done, found and expected, and the remedy.

The exit code of a command is the ``exit_code`` of the error that ended it.
"""


class DunhuangError(Exception):
    """Anything a user can mend. The command line prints the message and no traceback."""

    exit_code = 1


def says_out_of_memory(error: BaseException) -> bool:
    """Whether an error's text says that memory did not suffice; libraries have no class for it."""
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return any(text in str(error).lower() for text in texts)


class UsageProblem(DunhuangError):
    """Options that contradict each other or ask for the impossible."""

    exit_code = 2


class DataProblem(DunhuangError):
    """Something is wrong in what was given to read."""

    exit_code = 3


class PictureError(DataProblem):
    """A picture or a mask file that cannot be used."""


class PlanError(DataProblem):
    """A patch plan that cannot be made or read."""


class MaskError(DataProblem):
    """A mask, or a mask bank, that cannot be used."""


class DatasetError(DataProblem):
    """A dataset folder that is incomplete, altered or not a dataset."""


class LeakError(DataProblem):
    """Splits that share what they must not."""


class CheckpointError(DataProblem):
    """A checkpoint that cannot be read or does not fit."""


class OutputExistsError(DunhuangError):
    """The output is already there, or belongs to another run."""

    exit_code = 4


class ResumeMismatchError(DunhuangError):
    """What is to be continued is not what was begun."""

    exit_code = 4


class EnvironmentProblem(DunhuangError):
    """The machine lacks something: a package, memory, disk, permission."""

    exit_code = 5


class OutputError(EnvironmentProblem):
    """An output that could not be written: full disk, no permission."""
