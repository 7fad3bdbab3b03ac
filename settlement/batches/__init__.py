"""Settlement batches: cut, publish, seal, release, instruct."""
