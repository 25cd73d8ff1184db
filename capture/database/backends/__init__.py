"""What each database does in its own way, behind `capture.database.backend.Backend`."""
