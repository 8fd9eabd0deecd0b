"""What a command does: one job a file."""
