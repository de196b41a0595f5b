"""Objects in pictures, with their boxes and masks."""
