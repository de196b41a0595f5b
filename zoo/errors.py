"""The error for what a user can put right."""


class UserError(ValueError):
    """Something the user typed, wrote or pointed at is wrong; the message says what, and what is allowed.

    `lambda-zoo` prints it as one line and ends with exit status 2. Any other exception is a bug of ours and keeps
    its traceback.
    """
