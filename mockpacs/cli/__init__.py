"""The command line: parse, build options, call what is below, print. Nothing is decided here."""

from mockpacs.cli.program import main

__all__ = ["main"]
