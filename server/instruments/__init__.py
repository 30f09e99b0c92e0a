"""A province's own instruments: drafts, checks, comparison, signing, and the editor's pages."""
