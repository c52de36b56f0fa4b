"""The version, in one place below all floors that say it."""

__version__ = "0.1.0"
