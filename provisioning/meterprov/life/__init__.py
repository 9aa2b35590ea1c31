"""A node's life at its meter: enrolled, given another key, moved to another meter, taken out of service."""
