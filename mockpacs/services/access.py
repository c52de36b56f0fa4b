"""Who may associate: titles and user identities. Everybody may, until somebody says otherwise."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from mockpacs.wire import UserIdentity

IdentityRule = Literal["accept", "check", "require"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A user who may associate. ``primary`` is the name, ticket, assertion or token, as it comes over the wire."""

    kinds: tuple[int, ...]
    """User identity types it may come as: (1, 2) for a name, (2,) with a passcode, (3,), (4,) or (5,)."""
    primary: bytes = field(repr=False)
    secondary: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """The rules. Title patterns are globs; none means any."""

    called: tuple[str, ...] = ()
    calling: tuple[str, ...] = ()
    identity: IdentityRule = "accept"
    credentials: tuple[Credential, ...] = ()

    def knows_called(self, title: str) -> bool:
        """Whether this called AE title is answered to."""
        return not self.called or any(fnmatchcase(title, pattern) for pattern in self.called)

    def knows_calling(self, title: str) -> bool:
        """Whether this calling AE title may come in."""
        return not self.calling or any(fnmatchcase(title, pattern) for pattern in self.calling)

    def admits(self, identity: UserIdentity | None) -> bool:
        """Whether this identity, or none, is good enough (PS3.7 D.3.3.7)."""
        if self.identity == "accept":
            return True
        if identity is None:
            return self.identity != "require"
        return any(_is(credential, identity) for credential in self.credentials)


def _is(credential: Credential, identity: UserIdentity) -> bool:
    # compare_digest: a mock, but its users copy what they see
    same = identity.kind in credential.kinds and hmac.compare_digest(credential.primary, bytes(identity.primary))
    if credential.secondary is None:
        return same
    return same and hmac.compare_digest(credential.secondary, bytes(identity.secondary))
