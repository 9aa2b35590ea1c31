"""The Python side of the chain: programs, records, clients, deployment, audit."""
