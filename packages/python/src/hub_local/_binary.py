"""Finds the binary of this installation."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from ._errors import HubLocalError

_NAME = "hub-local.exe" if sys.platform == "win32" else "hub-local"


def find_binary(env: Mapping[str, str] = os.environ) -> str:
    """The path of the hub-local binary: that of the variable `HUB_LOCAL_BINARY`, or the one that was installed with
    this package.

    Raises `HubLocalError` if there is none.
    """
    if path := env.get("HUB_LOCAL_BINARY"):
        return path
    places = list(dict.fromkeys(_places()))
    for place in places:
        if place.is_file():
            return str(place)
    looked = "\n".join(f"  {place}" for place in places)
    raise HubLocalError(
        f"the binary of hub-local was not found in\n{looked}\n"
        "Install the package again (pip install --force-reinstall hub-local), or set HUB_LOCAL_BINARY to the path of a "
        "hub-local binary."
    )


def _places() -> Iterator[Path]:
    packages = Path(__file__).resolve().parent.parent
    # The list of installed files is exact, also for an environment that sees the packages of another one.
    for distribution in metadata.distributions(name="hub-local", path=[str(packages)]):
        for file in distribution.files or ():
            if file.name == _NAME:
                yield Path(os.path.normpath(str(distribution.locate_file(file))))
    yield Path(sysconfig.get_path("scripts")) / _NAME
    user = sysconfig.get_path("scripts", scheme=sysconfig.get_preferred_scheme("user"))
    yield Path(user) / _NAME
    # `pip install --target` moves scripts, and leaves their old place in the list.
    yield packages / "bin" / _NAME
