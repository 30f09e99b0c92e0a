"""Pages and the HTTP interface, one area a file."""
