# Shell functions that `tests/run` and `.ci/run` share: finding and installing tools.

fail() { printf '%s: %s\n' "$0" "$1" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Installs packages of the system, or prints what to install: the advice, then the packages.
install() {
  local advice=$1
  shift
  have apt-get || fail "$advice"
  local root=()
  if [ "$(id -u)" != 0 ]; then
    have sudo && sudo -n true 2>/dev/null || fail "$advice (this user is not root, and sudo is missing or asks for a password)"
    root=(sudo -n)
  fi
  "${root[@]}" apt-get update -qq </dev/null || fail "$advice (apt-get update failed)"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" </dev/null \
    || fail "$advice (apt-get install failed)"
}
