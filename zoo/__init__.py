"""Training: recipes, data, and the `lambda-zoo` command."""
