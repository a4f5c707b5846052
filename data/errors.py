"""The errors a user can mend. Commands print the message as one line and end with exit code 2."""

__all__ = ["DataError", "UserError", "one_line"]


class UserError(Exception):
    """The user asked for something that cannot be. The message is one line that says what to change."""


class DataError(UserError):
    """Data is missing or malformed."""


def one_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
