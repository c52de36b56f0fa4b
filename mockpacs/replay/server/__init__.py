"""A recorded server, to be played for the client under test: a recording compiled into a scenario."""

from mockpacs.replay.server.choices import Choices
from mockpacs.replay.server.compiling import Compiled, compiled
from mockpacs.replay.server.folder import text_of, written
from mockpacs.replay.server.instances import Instance
from mockpacs.replay.server.ledger import Ledger
from mockpacs.replay.server.rules import UNMATCHED, Recorded

__all__ = ["UNMATCHED", "Choices", "Compiled", "Instance", "Ledger", "Recorded", "compiled", "text_of", "written"]
