"""The error of this package."""


class HubLocalError(Exception):
    """The binary is missing, or the service did not start. The text contains what the service has printed."""
