#!/usr/bin/env bash
# Installs the Debian 12 packages of tools/packages.txt that are missing. Run it, or source it (test.sh and demo.sh do)
# for its functions: step, install_packages.
#
# Nothing is installed, and no rights are needed, when all packages are there. Else root installs them itself, anybody
# else through sudo; sudo is used for nothing but that.

set -euo pipefail

# Runs a command and says what it does and how long it took:  step "builds preset dev" cmake --build --preset dev
step() {
    local what=$1 begin=$SECONDS status=0
    shift
    printf '\n==> %s\n' "$what"
    "$@" || status=$?
    if ((status == 0)); then
        printf '==> %s: done in %d s\n' "$what" $((SECONDS - begin))
    else
        printf '==> %s: FAILED (exit status %d) after %d s\n' "$what" "$status" $((SECONDS - begin)) >&2
    fi
    return "$status"
}

# Prints the packages of the list that are not installed.
missing_packages() {
    local list
    list=$(dirname "${BASH_SOURCE[0]}")/packages.txt
    grep -v '^#' "$list" | while read -r package; do
        if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
            printf '%s\n' "$package"
        fi
    done
}

install_packages() {
    if ! command -v dpkg-query >/dev/null; then
        printf 'This is no Debian: install what tools/packages.txt names, then build by hand (CONTRIBUTING.md).\n' >&2
        return 1
    fi
    local missing as_root=()
    missing=$(missing_packages)
    if [[ -z $missing ]]; then
        printf 'All packages are installed.\n'
        return 0
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            printf 'These packages are missing, and only root can install them:\n%s\n' "$missing" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    printf 'Installing: %s\n' "${missing//$'\n'/ }"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
    "${apt[@]}" update || return
    # shellcheck disable=SC2086  # one word per package is what is wanted here
    "${apt[@]}" install -y --no-install-recommends $missing
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    step "installs missing packages" install_packages
fi
