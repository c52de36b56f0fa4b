"""Floor 2: DIMSE services, requests to outcomes. No sockets, no waiting."""
