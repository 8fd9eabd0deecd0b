"""The BTC/USD price written in confirmed Bitcoin blocks, read from the owner's own node."""

__version__ = "0.1.0"
