"""What is kept: one DuckDB file with one writer, its published copy, and the scan cache."""
