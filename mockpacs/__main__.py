"""``python -m mockpacs`` is ``mockpacs``."""

from mockpacs.cli import main

main()
