"""The analyst's figures and pages: implicit against explicit, what the signal saved, where it misleads."""
