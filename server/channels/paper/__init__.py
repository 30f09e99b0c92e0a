"""Paper forms: print, entry twice, decision."""
