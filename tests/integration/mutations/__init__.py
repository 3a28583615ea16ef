"""Seeded mutations of Parquet files: whatever a file holds, a scan ends in rows or a typed error."""
