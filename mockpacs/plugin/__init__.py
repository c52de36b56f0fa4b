"""What the pytest plugin does once a test uses it. `mockpacs.pytest_plugin` is its door; nothing here runs before."""
