"""TFLite for phones and browsers."""
