"""Where blocks and exchange prices come from."""
