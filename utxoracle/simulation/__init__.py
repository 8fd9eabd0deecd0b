"""Chains with a known price, and the servers that play bitcoind and mempool over them."""
