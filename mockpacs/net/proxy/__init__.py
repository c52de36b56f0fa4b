"""A proxy: what stands between a client and a server, forwards bytes as they come, records and disturbs."""
