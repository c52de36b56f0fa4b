"""Two recordings compared, exchange by exchange: what belongs together, and what is not the same in it."""
