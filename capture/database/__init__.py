"""The database: one object per process, two backends, one set of statements."""
