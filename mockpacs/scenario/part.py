"""What all parts of the model have in common: frozen, no unknown keys, and a short way to write most of them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema


class Part(BaseModel):
    """A mapping of a scenario. ``key`` names the field that a value which is no mapping stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)
    key: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _longhand(cls, value: Any) -> Any:
        """``delay: 2s`` is ``delay: {seconds: 2s}``."""
        if cls.key and not isinstance(value, dict | cls):
            return {} if value is None or cls.is_bare(value) else {cls.key: value}
        return value

    @classmethod
    def is_bare(cls, value: Any) -> bool:
        """Whether a value only says that the part is there: ``abort: true``."""
        return value is True or value == "true"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The long form, or what its one field may be."""
        whole = handler.resolve_ref_schema(handler(schema))
        if not cls.key:
            return whole
        field = cls.model_fields[cls.key].alias or cls.key
        short = whole.get("properties", {}).get(field, {})
        short = {name: value for name, value in short.items() if name not in ("default", "title", "description")}
        options = [*short["anyOf"]] if set(short) == {"anyOf"} else [short]
        told: dict[str, Any] = {name: whole[name] for name in ("title", "description") if name in whole}
        return {**told, "anyOf": [{n: v for n, v in whole.items() if n != "description"}, *options, {"const": True}]}
