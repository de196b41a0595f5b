"""A page that classifies images in the browser."""
