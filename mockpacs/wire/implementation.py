"""Who we say we are, in associations (PS3.7 D.3.3.2) and in the files we write (PS3.10 7.1)."""

from __future__ import annotations

from typing import Final

IMPLEMENTATION_CLASS_UID: Final = "2.25.335000889735666980945351201069762972995"
"""Derived from a UUID (PS3.5 B.2); names the implementation, not its version."""
IMPLEMENTATION_VERSION_NAME: Final = "MOCKPACS_0_1_0"
"""At most 16 characters (PS3.7 D.3.3.2.3)."""
