"""Certificates made by the openssl command, for servers that talk TLS."""

import ssl
import subprocess
from pathlib import Path

_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A CA of its own, whose files lie in `folder`.

    Attributes:
        file: Its certificate, by which those that it signs are checked.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        self.file = folder / f"{name}.pem"
        self._openssl(
            "req", "-x509", *_EC_KEY, "-subj", f"/CN={name}", "-days", "2",
            "-addext", "keyUsage=critical,keyCertSign",
            "-keyout", f"{name}.key", "-out", self.file,
        )  # fmt: skip

    def context(self, alternative_names: str, *, days: int = 2) -> ssl.SSLContext:
        """Return what a server of such names talks TLS with; `days` of 0 are over."""
        # Without the identifiers of keys, Python 3.13 takes no certificate.
        (self._folder / "extensions").write_text(
            f"subjectAltName={alternative_names}\nauthorityKeyIdentifier=keyid\n"
            "subjectKeyIdentifier=hash\n"
        )
        self._openssl("req", *_EC_KEY, "-subj", "/CN=server", "-keyout", "key", "-out", "request")
        self._openssl(
            "x509", "-req", "-in", "request", "-CA", self.file, "-CAkey", f"{self._name}.key",
            "-CAcreateserial", "-days", str(days), "-extfile", "extensions", "-out", "certificate",
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "certificate", self._folder / "key")
        return context

    def _openssl(self, *arguments: object) -> None:
        command = ["openssl", *(str(one) for one in arguments)]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)
