#!/usr/bin/env bash
# `az acr build` sends files of the root to Azure that `**/NAME` in .dockerignore excludes.
#
# Versions: azure-cli 2.91.0, docker 7.1.0 (PyPI), Python 3.10 or newer.
# Expected: no file with the name, in the root or below it. In Docker's documentation of .dockerignore, `**` matches any
#           number of directories, including zero. Docker's library for Python reads the file in this way.
# Seen:     the archive that `az acr build` uploads contains the file of the root; those below it are excluded. With the
#           usual lines `**/.env` and `**/local.settings.json`, the secrets of the root reach the registry's build, and
#           `COPY . .` puts them into the image, although the same folder is safe with `docker build`. No warning names
#           them. The name without `**/`, on a line of its own, excludes the file.
# Exits with 1 if this changes. Needs Python and the network; writes to a temporary folder only. No account is needed: the
# script calls the function with which `az acr build` packs the folder.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
# The command without the management libraries, which packing does not use.
venv/bin/pip install --quiet --disable-pip-version-check azure-cli-core==2.91.0 docker==7.1.0
venv/bin/pip install --quiet --disable-pip-version-check --no-deps azure-cli==2.91.0
mkdir -p source/app
for file in .env app/.env local.settings.json app/local.settings.json app/main.py Dockerfile; do echo x > "source/$file"; done
cat > seen.py <<'PY'
import logging, sys, tarfile
from importlib.metadata import version
from azure.cli.command_modules.acr._archive_utils import _pack_source_code
from docker.utils.build import exclude_paths

logging.disable()
FILES = [".env", "app/.env", "local.settings.json", "app/local.settings.json"]

def sent(rules):
    with open("source/.dockerignore", "w") as file:
        file.write("\n".join(rules) + "\n")
    _pack_source_code("source", "source.tar.gz", "source/Dockerfile", "uploaded_Dockerfile")
    names = set(tarfile.open("source.tar.gz").getnames())
    docker = set(exclude_paths("source", list(rules)))
    return [name for name in FILES if name in names], [name for name in FILES if name in docker]

seen = {"azure-cli": version("azure-cli"), "docker": version("docker")}
for rules in (["**/.env", "**/local.settings.json"], [".env", "**/.env", "local.settings.json", "**/local.settings.json"]):
    seen[f"{', '.join(rules)}: sent by az acr build"], seen[f"{', '.join(rules)}: sent by docker"] = sent(rules)
for what, value in seen.items():
    print(f"{what}: {value}")
known = ["2.91.0", "7.1.0", [".env", "local.settings.json"], [], [], []]
sys.exit(0 if list(seen.values()) == known else 1)
PY
venv/bin/python seen.py && echo "as described" || { echo "CHANGED: this is no longer as described"; exit 1; }
