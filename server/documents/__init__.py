"""Documents that an office sends: one content of blocks in one frame, written as DOCX and PDF."""
