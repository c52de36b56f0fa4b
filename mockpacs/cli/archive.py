"""stub"""

import typer

archive = typer.Typer(name="archive", rich_markup_mode=None)


@archive.command()
def x() -> None:
    """x"""


@archive.command()
def y() -> None:
    """x"""
