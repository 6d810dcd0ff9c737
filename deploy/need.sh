#!/usr/bin/env bash
# Installs the Debian packages behind the named tools, those that are missing.
#   deploy/need.sh cc git python
set -euo pipefail

packages=()
for tool in "$@"; do
  case $tool in
    cc) command -v cc >/dev/null || packages+=(gcc libc6-dev) ;;
    python) python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv) ;;
    *) command -v "$tool" >/dev/null || packages+=("$tool") ;;
  esac
done
if [ ${#packages[@]} -eq 0 ]; then
  exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root=sudo
fi
if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
  echo "please install: ${packages[*]}" >&2
  exit 1
fi
echo "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
