"""The files of a batch: what finance teams and banks pull, each a stream, each with the same totals."""
