"""What can be chosen: one frozen `Options`, read from a YAML file, the environment and the command line."""

from mockpacs.config.options import Option, Options, schema
from mockpacs.config.sources import load
from mockpacs.config.users import NamedUser, TokenUser, User
from mockpacs.written.peer import Peer

__all__ = ["NamedUser", "Option", "Options", "Peer", "TokenUser", "User", "load", "schema"]
