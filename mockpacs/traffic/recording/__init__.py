"""Reading recordings: from the byte streams of connections to associations, exchanges and messages."""
