"""One script a table. Each compares both sides in one run, interleaved, and reports medians and their ratios."""
