"""What a test steers a running server with: its rules, its handlers, what it waits for and checks."""
