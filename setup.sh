#!/bin/sh
# Makes or updates .venv. Usage: sh setup.sh [run|test|dev]   (default: run)
# Says what a fresh machine lacks before anything is downloaded, and installs it only where it may:
# as root on a machine with apt. Everywhere else it prints the one command to run.
set -eu
cd "$(dirname "$0")"
extra=${1:-run}
venv=${LUMINOUS_VENV:-.venv}

say() { printf '%s\n' "$*" >&2; }
give_up() { say "setup: $1"; shift; for line in "$@"; do say "       $line"; done; exit 1; }

case $extra in
    run) target=. ;;
    test | dev) target=".[$extra]" ;;
    *) give_up "unknown set '$extra'" "usage: sh setup.sh [run|test|dev]" ;;
esac

# --- which Python ------------------------------------------------------------------------------
new_enough() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

if ! python=$(find_python); then
    found=$(python3 --version 2>/dev/null || echo "no python3")
    give_up "luminous-node needs Python 3.11 or newer; found: $found." \
        "Install one (Debian 12 and later: apt-get install python3), or name it: make PYTHON=/path/to/python3.11 ..."
fi

# --- what building fastecdsa needs (libp2p pins it; it has no wheel) --------------------------------
compiler=${CC:-cc}
command -v "$compiler" >/dev/null 2>&1 || compiler=gcc

compiles() { # does a C file that includes $1 compile?
    printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\nint main(void){return 0;}\n' "$1" |
        "$compiler" -fsyntax-only -I"$include" ${CFLAGS:-} -x c - >/dev/null 2>&1
}

list_missing() {
    missing=""
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || missing="$missing venv"
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import fastecdsa' >/dev/null 2>&1; then
        return 0
    fi
    if command -v "$compiler" >/dev/null 2>&1 && compiles stdio.h; then
        compiles gmp.h || missing="$missing gmp"
        compiles Python.h || missing="$missing headers"
    else
        missing="$missing compiler gmp headers"
    fi
}

list_missing
if [ -n "$missing" ]; then
    packages="gcc libc6-dev libgmp-dev python3-dev python3-venv"
    say "setup: this machine lacks:$missing (needed once, to build fastecdsa, which libp2p needs)."
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        say "setup: installing with apt: $packages"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq </dev/null || say "setup: apt-get update failed; trying with the lists at hand"
        # shellcheck disable=SC2086  # a list of names
        apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null ||
            give_up "apt could not install them. Run it yourself to see why:" "apt-get install $packages"
        compiler=gcc
        list_missing
        [ -z "$missing" ] || give_up "still lacking:$missing, for $python." \
            "Debian's packages serve Debian's own Python: try make PYTHON=/usr/bin/python3 ..."
    elif command -v apt-get >/dev/null 2>&1; then
        give_up "nothing was downloaded. Run this, then try again:" "sudo apt-get install -y $packages"
    elif command -v nix-shell >/dev/null 2>&1; then
        give_up "nothing was downloaded. Run it inside a shell that has them:" \
            "nix-shell -p gcc gmp gnumake python312 --run 'make ${MAKECMDGOALS:-demo}'"
    elif command -v dnf >/dev/null 2>&1; then
        give_up "nothing was downloaded. Run this, then try again:" \
            "sudo dnf install -y gcc gmp-devel python3-devel"
    elif command -v pacman >/dev/null 2>&1; then
        give_up "nothing was downloaded. Run this, then try again:" "sudo pacman -S --needed gcc gmp python"
    elif command -v brew >/dev/null 2>&1; then
        give_up "nothing was downloaded. Run this, then try again:" "xcode-select --install; brew install gmp"
    else
        give_up "nothing was downloaded." \
            "Install a C compiler, the GMP headers (gmp.h) and Python's headers, then try again."
    fi
fi

# --- the environment -----------------------------------------------------------------------------
if [ -x "$venv/bin/python" ] && ! new_enough "$venv/bin/python"; then
    give_up "$venv holds a Python that is too old or no longer there." "Remove it and try again: rm -r $venv"
fi
if [ ! -x "$venv/bin/python" ]; then
    say "setup: making $venv with $("$python" --version) ($python)"
    "$python" -m venv "$venv" </dev/null
fi
say "setup: installing what '$extra' needs (the versions in requirements.lock)"
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1 \
    "$venv/bin/python" -m pip install -q -c requirements.lock -e "$target" </dev/null ||
    give_up "pip could not install the packages (its own words are above)." \
        "The first set-up needs the network once; nothing after it does."
: >"$venv/.ready-$extra"
say "setup: done"
