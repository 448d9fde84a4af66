# Shared by the other scripts and .ci/run; sourced, with the repository as working directory.

swift_version=6.3
server_packages=(libngtcp2-dev libngtcp2-crypto-gnutls-dev libnghttp3-dev libgnutls28-dev zlib1g-dev pkg-config)

# The same flags everywhere, so that nothing is built twice. The check holds the floors of Package.swift apart.
build_flags=(--explicit-target-dependency-import-check error)

# Debian 12's ngtcp2 before this version lacks the fix for CVE-2026-40170.
debian_12_ngtcp2='0.12.1+dfsg-1+deb12u1'

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

require_swift() {
    local version advice="install Swift $swift_version from https://www.swift.org/install/linux/ and run this again."
    command -v swift >/dev/null || fail "Swift is missing: $advice"
    # An unpacked toolchain without the packages it depends on says itself which library it misses.
    version=$(swift --version | sed -n 's/.*Swift version \([0-9.]*[0-9]\).*/\1/p') || true
    [ -n "$version" ] || fail 'Swift does not run: install the packages that https://www.swift.org/install/linux/ lists.'
    printf '%s\n' "$swift_version" "$version" | sort -C -V || fail "Swift $version is too old: $advice"
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Debian 12 only: other distributions number their fixes differently.
is_too_old() {
    local release
    release=$(. /etc/os-release && printf '%s %s' "${ID:-}" "${VERSION_ID:-}")
    case "$release $1" in
        'debian 12 libngtcp2'*)
            dpkg --compare-versions "$(dpkg-query -W -f '${Version}' "$1")" lt "$debian_12_ngtcp2" ;;
        *) return 1 ;;
    esac
}

# Installs the packages named that are missing or too old; touches nothing when all are there.
install_packages() {
    local package wanted=()
    if ! command -v dpkg-query >/dev/null; then
        say "This is not Debian or Ubuntu, so nothing is installed here. Needed: $*"
        return
    fi
    for package in "$@"; do
        if ! is_installed "$package" || is_too_old "$package"; then wanted+=("$package"); fi
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        fail "There is no sudo: as root, run 'apt-get install ${wanted[*]}', then this again."
    fi
    say "Installing ${wanted[*]}"
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >&2
    for package in "${wanted[@]}"; do
        if is_too_old "$package"; then
            fail "$package is older than $debian_12_ngtcp2 (CVE-2026-40170): enable Debian's security suite."
        fi
    done
}

# The Python environment of the tests, in .build/venv.
prepare_venv() { make_venv .build/venv python3 Tests/Interop/requirements.txt; }

# Another one, in .build/venv-newer, for the peers that the system's Python may be too old for. Their tests are skipped
# where it cannot be made.
prepare_newer_venv() {
    local python requirements=Tests/Interop/requirements-newer.txt
    if ! python=$(find_newer_python); then
        say "########## NOT RUN: tests with the peers of $requirements. They need Python 3.12, and there is none."
    elif ! make_venv .build/venv-newer "$python" "$requirements"; then
        rm -rf .build/venv-newer
        say "########## NOT RUN: tests with the peers of $requirements, which cannot be installed for $python."
    fi
}

find_newer_python() {
    local candidate
    for candidate in python3.14 python3.13 python3.12 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3
    do
        # One that is on the PATH may be a shim of pyenv for a version that is not chosen, and does not run.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    return 1
}

# Made again when what it must hold has changed.
make_venv() {
    local folder=$1 python=$2 requirements=$3
    if cmp -s "$requirements" "$folder/requirements.txt"; then return; fi
    rm -rf "$folder"
    "$python" -m venv "$folder" &&
        "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" &&
        cp "$requirements" "$folder/requirements.txt"
}
