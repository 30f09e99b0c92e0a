"""Commands of a box, thin."""
