"""What is made of recordings: a client or a server that plays them again, comparisons, excerpts, redacted copies."""
