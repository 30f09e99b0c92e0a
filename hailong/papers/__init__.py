"""Papers that the law asks for, filled from the software's own facts: `hailong audit report --form NAME`."""
