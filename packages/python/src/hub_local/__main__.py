"""`python -m hub_local`: the hub-local command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

from ._binary import find_binary
from ._errors import HubLocalError


def main() -> NoReturn:
    try:
        path = find_binary()
        _run([path, *sys.argv[1:]])
    except HubLocalError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {path} cannot be run: {error.strerror}")


def _run(command: list[str]) -> NoReturn:
    if sys.platform != "win32":
        # The binary takes the place of this process, so signals and exit codes are its own.
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            # The console sends Ctrl+C to the binary as well, which stops by itself.
            continue


if __name__ == "__main__":
    main()
