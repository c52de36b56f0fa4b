"""A body that nobody reads is told: it may have said what a query should have."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from mockpacs import MockPACS


def test_a_reset_with_a_body_resets_nothing() -> None:
    with MockPACS(http=0) as pacs:
        pacs.rules.add({"when": {"service": "C-ECHO"}, "then": "abort"})
        asked = urllib.request.Request(f"{pacs.url}/api/v1/reset", b'{"what": ["journal"]}', method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked)

        assert json.load(caught.value)["error"]["code"] == "unwanted-body"
        assert len(pacs.rules) == 1
