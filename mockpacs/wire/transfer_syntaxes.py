"""The UIDs of the transfer syntaxes that leave pixel data uncompressed (PS3.5 A.1 to A.3, A.5)."""

from __future__ import annotations

from typing import Final

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
