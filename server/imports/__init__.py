"""Files that people bring: every kind by one page, one command and one action of the log."""
