# Sourced by the shell tools: where things live, how they speak, how they install what is missing.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tripod

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# install_packages PACKAGE...: installs the ones that are missing, refreshing apt's lists at most once and
# only then. Without root it says what to type.
install_packages() {
  local missing=() package
  for package; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  [ "$(id -u)" -eq 0 ] || die "missing packages; run: sudo apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  {
    [ -n "${apt_lists_are_fresh:-}" ] || apt-get update -qq
    apt_lists_are_fresh=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null || { tail -20 "$log" >&2; rm -f "$log"; die "apt-get failed"; }
  rm -f "$log"
}

# with_lock NAME COMMAND...: one at a time on this machine.
with_lock() {
  local name=$1
  shift
  mkdir -p "$cache"
  (
    flock 9
    "$@" 9>&-
  ) 9>"$cache/$name.lock"
}
