"""DuckDB as a backend: see backend.toml and README.md."""
