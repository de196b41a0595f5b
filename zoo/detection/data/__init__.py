"""Pictures with the boxes and masks of their objects: where they come from, and the input pipeline."""
