"""`meterbridge bundle`: what a helper from far away needs to see, and nothing that they must not.

scrub      takes secrets out of texts that nobody wrote a schema for: logs, messages
contents   what is in the archive
archive    one tar.gz
"""
