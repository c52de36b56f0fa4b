"""Who may associate: the users a user identity item (PS3.7 D.3.3.7) is compared with. A secret is never in a repr."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

from mockpacs.written.kinds import Refused, nearest, quoted, refused

TokenType = Literal["kerberos", "saml", "jwt"]
TOKEN_TYPES: tuple[TokenType, ...] = ("kerberos", "saml", "jwt")


@dataclass(frozen=True, slots=True)
class NamedUser:
    """A user with a name, and a password or none (user identity types 1 and 2)."""

    name: str
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TokenUser:
    """A user known by a token: Kerberos ticket, SAML assertion or JSON web token (types 3, 4 and 5)."""

    type: TokenType
    token: bytes = field(repr=False)


User = NamedUser | TokenUser


class UserKind:
    """A mapping in a file, or one word elsewhere: ``NAME``, ``NAME:PASSWORD``, ``jwt=TOKEN``."""

    allowed: ClassVar[str] = (
        "a user: {name: NAME, password: SECRET}, {name: NAME}, or {type: kerberos, saml or jwt, token: TOKEN}; "
        "in one word NAME, NAME:PASSWORD or jwt=TOKEN"
    )

    def read(self, value: object) -> User:
        """The user."""
        if isinstance(value, NamedUser | TokenUser):
            return value
        if isinstance(value, Mapping):
            return _from_mapping(value)
        if isinstance(value, str) and value:
            return _from_word(value)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The user without the secret."""
        return value.name if isinstance(value, NamedUser) else f"{cast(TokenUser, value).type}=..."


def _from_word(word: str) -> User:
    kind, is_token, token = word.partition("=")
    if is_token and kind in TOKEN_TYPES:
        return TokenUser(type=kind, token=_token(token, word))
    name, has_password, password = word.partition(":")
    if not name:
        raise Refused((word, "a user needs a name before the colon"))
    return NamedUser(name=name, password=password if has_password else None)


def _from_mapping(value: Mapping[object, object]) -> User:
    allowed = ("name", "password", "token", "type")
    problems = [
        (key, f"unknown key {quoted(key)} of a user{nearest(str(key), allowed)}") for key in value if key not in allowed
    ]
    problems += [(entry, f"{key} must be text") for key, entry in value.items() if not isinstance(entry, str)]
    if problems:
        raise Refused(*problems)
    texts = {str(key): str(entry) for key, entry in value.items()}
    match texts:
        case {"name": name, **rest} if name and set(rest) <= {"password"}:
            return NamedUser(name=name, password=texts.get("password"))
        case {"type": "kerberos" | "saml" | "jwt" as kind, "token": token, **rest} if not rest:
            return TokenUser(type=kind, token=_token(token, value["token"]))
        case {"type": kind, "token": _} if kind not in TOKEN_TYPES:
            raise refused(value["type"], f"one of {', '.join(TOKEN_TYPES)}", nearest(kind, TOKEN_TYPES))
    raise Refused((value, "a user is either a name (and a password) or a type and a token"))


def _token(text: str, at: object) -> bytes:
    """A token is text; a binary one, such as a Kerberos ticket, is written ``base64:...``."""
    if not text:
        raise Refused((at, "a token must not be empty"))
    if not text.startswith("base64:"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("base64:"), validate=True)
    except binascii.Error as error:
        raise Refused((at, f"the token is not valid base64: {error}")) from error
