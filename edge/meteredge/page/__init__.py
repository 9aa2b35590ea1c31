"""The status page: what the agent, the journal and the doctor say, for a phone in front of the cabinet.

A process of its own with a user of its own: it reads the journal and asks the agent's socket, and has no key, no port
and nothing to send.  `snapshot` is what is shown, `day` and `curve` the last 24 hours, `html` the page, `metrics` the
same for Prometheus, `app` serves them, `running` keeps the snapshot fresh.
"""
