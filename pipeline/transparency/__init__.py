"""The box's transparency log: a Merkle tree in the style of RFC 9162 with signed heads and proofs."""
