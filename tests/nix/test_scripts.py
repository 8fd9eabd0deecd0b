import re
import shutil
import subprocess

import pytest

from tests.nix.golden import cases, kept

SCRIPTS = sorted(
    {
        (path, text)
        for case in cases()
        for path, text in kept(case).items()
        # Those of containers are nixpkgs' own.
        if path == "bin/utxoracle" or re.match(r"scripts/(utxoracle|podman-network)", path)
    }
)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck here")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[0])
def test_shellcheck_finds_nothing_in_a_script(script, tmp_path):
    file = tmp_path / "script"
    # As nixpkgs writes it, and refuses to build it where that finds something.
    body = re.sub(r"^#!.*\n", "", script[1])
    file.write_text("#!/bin/bash\nset -o errexit -o nounset -o pipefail\n" + body)
    done = subprocess.run(
        ["shellcheck", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout
