"""What all parts of the model have in common: frozen, no unknown keys, and a short way to write most of them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Part(BaseModel):
    """A mapping of a scenario, or what is written instead of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)
    key: ClassVar[str] = ""
    """The field that a value which is no mapping stands for."""
    is_enough: ClassVar[bool] = False
    """Whether its name alone says it all: ``then: abort``, ``abort: true``."""
    noun: ClassVar[str] = "a scenario"
    """What a sentence calls it."""
    unknown: ClassVar[str] = ""
    """What a sentence calls one of its keys; without it a key of the noun."""
    in_python: ClassVar[frozenset[str]] = frozenset()
    """Fields that only Python can say: files, their schema and their reference do not have them."""

    @model_validator(mode="before")
    @classmethod
    def _longhand(cls, value: Any) -> Any:
        """``delay: 2s`` is ``delay: {seconds: 2s}``."""
        if isinstance(value, dict | cls):
            return value
        if value is None and cls.key:
            return {}
        if cls.is_enough and (value is True or value == "true"):
            return {}
        return {cls.key: value} if cls.key else value

    @classmethod
    def written(cls) -> dict[str, str]:
        """The fields by the keys that people write in files."""
        fields = cls.model_fields.items()
        return {field.alias or name: name for name, field in fields if name not in cls.in_python}
