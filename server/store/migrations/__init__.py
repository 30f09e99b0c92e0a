"""Alembic migrations: `versions/` holds one file for each version of the schema, never edited once released."""
