"""What is looked at to tell how things are, one subject a file."""
