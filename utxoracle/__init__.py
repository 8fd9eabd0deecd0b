"""The BTC/USD price written in confirmed Bitcoin blocks, read from the owner's own node."""

from importlib.metadata import version

__version__ = version("utxoracle")
