"""Find, identify, read and write pictures: the only package that opens picture files.

Reading goes through libvips: the orientation tag is applied, a colour profile is converted to sRGB,
sixteen bits become eight, alpha says which pixels are there. What cannot be known is refused with a
sentence, until an option decides it; it is never guessed.
"""

from dunhuang_data.pictures.facts import PictureFacts, PictureWarning
from dunhuang_data.pictures.find import (
    FoundPicture,
    find_pictures,
    pictures_below,
    raise_together,
)
from dunhuang_data.pictures.identification import (
    identify_pictures,
    inspect_picture,
    sha256_of_file,
)
from dunhuang_data.pictures.own_samples import OwnPicture, OwnWindow, open_own
from dunhuang_data.pictures.windows import (
    SourcePicture,
    open_picture,
    picture_size,
    read_picture,
)
from dunhuang_data.pictures.writing import write_levels, write_like, write_picture

__all__ = [
    "FoundPicture",
    "OwnPicture",
    "OwnWindow",
    "PictureFacts",
    "PictureWarning",
    "SourcePicture",
    "find_pictures",
    "identify_pictures",
    "inspect_picture",
    "open_own",
    "open_picture",
    "picture_size",
    "pictures_below",
    "raise_together",
    "read_picture",
    "sha256_of_file",
    "write_levels",
    "write_like",
    "write_picture",
]
