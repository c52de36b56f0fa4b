"""Floor 3: sockets and the event loop. Everything that waits, waits here."""
