"""The exceptions of mockpacs: what *our* side can do wrong. What a peer does wrong is a value, never an exception.

MockpacsError                   everything below; its text is a sentence a user can act on
├── ConfigurationError          an option, environment variable or configuration file says something impossible
│   └── ScenarioError           a scenario says something impossible; one line per problem, each with its place
├── StartError                  the server cannot serve: port in use, no rights, no such certificate
├── StopError                   the server did not stop cleanly within its limit
├── ArchiveError                the archive cannot do what was asked
│   ├── ArchiveBusyError        another process holds the archive
│   ├── SchemaError             the index was written by a newer mockpacs
│   └── StorageError            the disk refused: full, read-only, gone
├── RecordingError              a recording cannot be written, or a file is not a recording
├── FilterError                 a filter that cannot be understood; carries the column of what is wrong
├── AssociationError            an association that a test asked for did not come about, or ended before an answer
├── WaitError                   what a test waited for did not come in time; a TimeoutError as well
├── VerificationError           what a test says must have happened did not; an AssertionError as well
├── IdentifierError             a query identifier that cannot be answered; carries the DIMSE status to answer with
└── LocalProtocolError          a caller of ``wire`` asked for something the state machine does not allow
"""

from __future__ import annotations


class MockpacsError(Exception):
    """Base of everything mockpacs raises on purpose."""


class ConfigurationError(MockpacsError):
    """An option, an environment variable or a configuration file says something impossible."""


class ScenarioError(ConfigurationError):
    """A scenario says something impossible. Its text has a line ``path:line:column: sentence`` for each problem."""


class StartError(MockpacsError):
    """The server cannot start serving."""


class StopError(MockpacsError):
    """The server did not stop cleanly within its limit."""


class ArchiveError(MockpacsError):
    """The archive cannot do what was asked."""


class ArchiveBusyError(ArchiveError):
    """Another process holds the archive."""


class SchemaError(ArchiveError):
    """The index on disk has a schema this version does not know."""


class StorageError(ArchiveError):
    """The disk refused to read or write: full, read-only, gone."""


class RecordingError(MockpacsError):
    """A recording cannot be written, or a file cannot be read as one."""


class FilterError(MockpacsError):
    """A filter that cannot be understood; the text shows the filter with a caret below ``column`` (from 1)."""

    def __init__(self, text: str, *, column: int = 1) -> None:
        super().__init__(text)
        self.column = column


class AssociationError(MockpacsError):
    """An association that was to be opened did not come about, or a request on it was not answered."""


class WaitError(MockpacsError, TimeoutError):
    """What was waited for did not come in time."""


class VerificationError(MockpacsError, AssertionError):
    """What must have happened did not, or what must not have did. Its text shows what came nearest."""


class IdentifierError(MockpacsError):
    """A query identifier that cannot be answered.

    ``status`` is the DIMSE status to answer with (PS3.4 Table C.4-1), ``offending`` the tags for (0000,0901).
    """

    def __init__(self, text: str, *, status: int = 0xA900, offending: tuple[int, ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.offending = offending


class LocalProtocolError(MockpacsError):
    """A caller asked the upper layer for something its state does not allow."""
