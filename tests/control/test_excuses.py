"""What excuses a peer: what we did before on the same association, whichever side of it we were."""

from __future__ import annotations

import pytest

from mockpacs.control.excuses import Excuses
from mockpacs.traffic.exchange import Association
from mockpacs.traffic.findings.finding import Finding
from mockpacs.wire import Role


@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("sender", list(Role))
def test_only_our_own_breaches_excuse_those_of_the_peer(*, by_us: bool, sender: Role) -> None:
    one = Association(4, "127.0.0.1:1", by_us=by_us)
    excuses = Excuses([])
    excuses.heard([Finding(one, 1, sender, 1.0, "PS3.8 E.1", "", check="odd-fragment")])

    is_ours = sender is (Role.REQUESTOR if by_us else Role.ACCEPTOR)
    assert excuses.covers(Finding(one, 1, sender, 2.0, "PS3.8 9.1.4", "", check="closed-without-release")) is is_ours
