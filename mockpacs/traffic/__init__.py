"""What happened on the wire, as records and as text."""
