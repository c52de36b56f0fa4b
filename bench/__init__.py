"""Side-by-side measurements of mockpacs and its peers. Never imported by mockpacs; not installed."""
