"""Finding out what is the case.  Where the agent runs it is asked over its socket, where not the port is opened."""
