"""The filter language: one for the command line, the journal and everything that chooses among exchanges."""

from mockpacs.traffic.filter.language import Filter, moment_of, no_values, select

__all__ = ["Filter", "moment_of", "no_values", "select"]
