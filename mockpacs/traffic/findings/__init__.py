"""What either side did against the standard, each with its clause."""
