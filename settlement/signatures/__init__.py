"""Keys, suites, signatures and the Merkle tree that they sign."""
