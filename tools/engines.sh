#!/usr/bin/env bash
# Installs Debian's packages of engines that tests start, where that is possible: as root on a system with apt.
set -euo pipefail
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "note: not installed, the tests that need it are skipped: $*" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" > /dev/null
