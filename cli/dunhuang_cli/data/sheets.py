"""``--sheet``: a contact sheet of a bank, beside it."""

from pathlib import Path

import click

from dunhuang_cli.options import FILE

SHOWN = 64

sheet_option = click.option(
    "--sheet", type=FILE, help=f"Also write a contact sheet of up to {SHOWN} masks (PNG)."
)


def refuse_sheet(sheet: Path | None, overwrite: bool, *folders: Path) -> None:
    """Refuse a sheet that is there already, is no PNG, or would lie in one of the folders."""
    from dunhuang_data.refusals import refuse_existing_png, refuse_inside

    if sheet is not None:
        for folder in folders:
            refuse_inside(sheet, folder)
        refuse_existing_png(sheet, overwrite)


def write_sheet(sheet: Path | None, masks: Path) -> None:
    """Show the first masks of a bank that was just written, if a sheet was asked for."""
    from dunhuang_data.figures import mask_sheet
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.pictures import write_picture

    if sheet is not None:
        bank = open_bank(masks, check_hashes=False)
        write_picture(sheet, mask_sheet([bank.read(i) for i in range(min(len(bank), SHOWN))]))
