"""A Success never lies by accident: whether what is scripted gives way to what the honest service said."""

from __future__ import annotations

from typing import Final

from mockpacs.services.request import Outcome
from mockpacs.wire.status import Category, category_of

_DONE: Final = (Category.SUCCESS, Category.WARNING)
_NOT_DONE: Final = (Category.FAILURE, Category.CANCEL)


def gives_way(status: int, honest: Outcome) -> bool:
    """Whether the honest final response is answered in place of one of this status.

    A success or warning gives way to a failure and to a cancel; the success of a retrieve also to a warning of which
    some sub-operations have failed (PS3.4 Table C.4-2: it is a success when all have succeeded).
    """
    category = category_of(status)
    if category not in _DONE:
        return False
    has_failed = honest.counts is not None and honest.counts.failed > 0
    return category_of(honest.status) in _NOT_DONE or (has_failed and category is Category.SUCCESS)
