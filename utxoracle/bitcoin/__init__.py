"""Bytes to facts: blocks parsed, verified and reduced to arrays. No I/O, no clock."""
