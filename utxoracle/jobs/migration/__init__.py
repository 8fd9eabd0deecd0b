"""Taking over what was made by hand: found, planned, moved, and its rows and settings read."""
