"""Making a node: so far the bridge's firmware (`bridge`), put on a Pico over MicroPython's raw prompt (`raw_repl`)."""
