"""`python -m utxoracle` is the command `utxoracle`."""

from utxoracle.cli import main

if __name__ == "__main__":
    main()
