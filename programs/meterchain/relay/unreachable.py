"""The one error of a broker that a node handles without having the MQTT client loaded."""


class BrokerUnreachable(Exception):
    """The broker does not answer, or does not let us in."""
