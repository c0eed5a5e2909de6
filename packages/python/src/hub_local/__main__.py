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
        _run([path, *sys.argv[1:]], _variables(sys.argv[1:]))
    except HubLocalError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {path} cannot be run: {error.strerror}")


def _variables(arguments: list[str]) -> dict[str, str]:
    # `new` writes an app in the language of the package.
    return {**os.environ, "HUB_LOCAL_PACKAGE": "pypi"} if arguments[:1] == ["new"] else {**os.environ}


def _run(command: list[str], variables: dict[str, str]) -> NoReturn:
    if sys.platform != "win32":
        # The binary takes the place of this process, so signals and exit codes are its own.
        os.execve(command[0], command, variables)
    process = subprocess.Popen(command, env=variables)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            # The console sends Ctrl+C to the binary as well, which stops by itself.
            continue


if __name__ == "__main__":
    main()
