"""Floor 1: the scenario language. How a server departs from honesty, decided without a socket, a clock or a disk."""
