"""Figures: the SIPAS index, the fused estimate, trends, and the analyst's tables."""
