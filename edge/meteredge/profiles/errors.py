"""What can be wrong with a profile or with a value read by it."""


class ProfileError(ValueError):
    """A profile is missing, does not fit the schema, or is asked for something that it does not say."""


class NotAvailable(ProfileError):
    """The meter answered a raw value that means "no value" (an invalid mark, NaN, infinity)."""


class MapNotFound(ProfileError):
    """A meter's map has to be searched for, and it or a part of it is not there: the meter is another model."""
