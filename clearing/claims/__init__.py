"""Claims: from a submission to an approved award."""
