"""Meters without hardware: an RS-485 bus, the meters on it, and the stage that runs them with real agents."""
