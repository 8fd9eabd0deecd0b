"""What is built into the package: the file that draws the charts, which is not kept in git."""

import gzip
import importlib.util
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLOTLY = "plotly"
SCRIPT = Path("package_data") / "plotly.min.js"
LICENCE = "LICENSE.txt"
TARGET = Path("utxoracle") / "web" / "vendor"


class VendorHook(BuildHookInterface):
    """Takes plotly.js and its licence from the Python package of Plotly, a build requirement.

    Both are put into the source tree, so that editable installs find them too.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files, before hatchling looks at what there is."""
        script, licence = self._script(), self._licence()
        folder = Path(self.root) / TARGET
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{SCRIPT.name}.gz").write_bytes(compressed(script.read_bytes()))
        (folder / "plotly.LICENSE.txt").write_bytes(licence.read_bytes())

    def _script(self) -> Path:
        # Found without an import, which would take seconds.
        spec = importlib.util.find_spec(PLOTLY)
        for folder in (spec and spec.submodule_search_locations) or ():
            if (path := Path(folder) / SCRIPT).is_file():
                return path
        return self._refuse(str(SCRIPT))

    def _licence(self) -> Path:
        try:
            files = metadata.files(PLOTLY) or []
        except metadata.PackageNotFoundError:
            files = []
        for file in files:
            if file.name == LICENCE and file.parts[0].endswith(".dist-info"):
                return Path(file.locate())
        return self._refuse(LICENCE)

    def _refuse(self, name: str) -> Path:
        self.app.abort(
            f"{name} of the Python package {PLOTLY} is not there: install the version that "
            "[build-system] in pyproject.toml names, or build with isolation"
        )
        raise SystemExit(1)


def compressed(content: bytes) -> bytes:
    """Return content as gzip has it, without a time or a name: the same bytes in every build."""
    packed = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(content)
    return packed.getvalue()
