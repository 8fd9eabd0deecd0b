"""`python -m utxoracle.api` serves what the environment says; the service runs this."""

import sys

from utxoracle.errors import INTERRUPTED, UsageError, UtxoracleError


def main() -> None:
    """Serve; what can't be begun is one line and an exit code."""
    try:
        if sys.argv[1:]:
            raise UsageError(
                "python -m utxoracle.api takes no arguments: set UTXORACLE_API_HOST and so on, or "
                "use utxoracle serve"
            )
        from utxoracle.api.server import serve
        from utxoracle.settings import Settings

        serve(Settings.from_environment())
    except UtxoracleError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)


def _end(message: str, exit_code: int) -> None:
    sys.stderr.write(f"utxoracle: {' '.join(message.split())}\n")
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
