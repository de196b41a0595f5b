"""`lambda-zoo weights`: published weights fetched, verified, shown and converted."""
