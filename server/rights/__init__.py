"""The rights desk of the data protection officer: requests of data subjects, incidents, their deadlines."""
