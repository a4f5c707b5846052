"""The errors a user can mend. Commands print the message as one line and end with exit code 2."""

__all__ = ["DataError", "UserError"]


class UserError(Exception):
    """The user asked for something that cannot be. The message is one line that says what to change."""


class DataError(UserError):
    """Data is missing or malformed."""
