"""The prices over HTTP: read from the published snapshot, and never computed here."""
