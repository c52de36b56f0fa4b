"""The index of a recording: an SQLite file beside it that answers filters, made when wanted, thrown away at will."""
