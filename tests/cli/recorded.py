"""A recording on disk that the tests of ``show`` and ``export`` look at."""

from __future__ import annotations

from pathlib import Path

from mockpacs.traffic import comment
from mockpacs.wire import CommandField as F
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import FIND, SCP, SCU, Script, answer, ask, echo, echoed, store, stored
from tests.traffic.recording.written import write

IMAGE = ct_image()
IDENTIFIER = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE^JOHN")
MATCH = IDENTIFIER + element(0x0020000D, "UI", b"1.2.3")


def script() -> Script:
    """An echo; a store with a rule and a query; a store that breaks off."""
    made = Script()
    made.open(comment.connection(1, "10.0.0.1:50001")).associate().say(SCU, echo()).say(SCP, echoed()).release()
    two = made.open(comment.connection(2, "10.0.0.1:50002")).associate()
    decided = comment.message("2.1", "C-STORE-RSP", "CT1 > MOCKPACS", "A700 out-of-resources", rule="full disk")
    two.say(SCU, store(1, IMAGE, "1.2.3")).say(SCP, stored(1, 0xA700, "disk full"), comment=decided)
    two.say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER))
    two.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH), answer(F.C_FIND_RQ, 2, FIND)).release()
    made.open(comment.connection(3, "10.0.0.1:50003")).associate().say(SCU, store(1, IMAGE, "1.4")[:-8]).close(
        how="reset"
    )
    return made


def record(storage: Path, *, part_size: int = 0) -> Path:
    """The recording in the folder ``recordings`` of a storage folder; its first file."""
    return write(storage / "recordings", script(), part_size=part_size).parts[0]
