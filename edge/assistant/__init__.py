"""The first-run assistant: a few pages by which a clerk sets up a box, reached only while the technician's command at
the box's console runs."""
