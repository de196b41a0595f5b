"""Images to calibrate, verify and warm up with."""
