# Sourced by the scripts. `prepare FILE...` sets PYTHON to an interpreter that has the packages in these requirements
# files: that of the active virtual environment, else that of .venv, which is made on first use. A note there records
# what is installed, so that later runs need no network.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

prepare() {
    trap 'exit 130' INT # else some shells report a command ended by Ctrl-C as a failure
    environment=${VIRTUAL_ENV:-$PWD/.venv}
    PYTHON=$environment/bin/python
    "$PYTHON" -m pip --version >/dev/null 2>&1 || make_environment
    check_version "$PYTHON"
    for requirements in "$@"; do
        install "$requirements"
    done
}

check_version() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "requires Python 3.11 or newer, but $1 is $("$1" --version 2>&1); install it, or set PYTHON3 to its path"
}

make_environment() {
    [ -z "${VIRTUAL_ENV:-}" ] || fail "the active virtual environment $VIRTUAL_ENV has no pip; deactivate it, or fix it"
    python3=${PYTHON3:-$(command -v python3.11 || command -v python3)} || fail "Python is missing; install Python 3.11"
    check_version "$python3"
    echo "Creating a virtual environment in .venv"
    log=$("$python3" -m venv .venv 2>&1) || case $log in
    *ensurepip* | *"No module named venv"*)
        fail "$python3 cannot create virtual environments; install its venv module (Debian: apt install python3-venv)" ;;
    *) fail "cannot create .venv: $(echo "$log" | tail -n 1)" ;;
    esac
}

install() {
    note=$environment/.installed-$(echo "$1" | tr / -)
    wanted=$({ cat "$1" && find pygravity -name '*.py' -o -name '*.toml' | sort | xargs cat; } | cksum)
    [ "$wanted" = "$(cat "$note" 2>/dev/null)" ] && return
    echo "Installing the packages in $1 into $environment (first run only, several hundred megabytes)"
    log=$environment/install-errors.log
    "$PYTHON" -m pip install --disable-pip-version-check --retries 2 -r "$1" 2>"$log" || explain "$1"
    echo "$wanted" >"$note"
}

explain() {
    if grep -qi "no space left" "$log"; then
        fail "the disk is full: free some space, then run this again"
    elif grep -qiE "NewConnectionError|Max retries|ConnectTimeout|ReadTimeout|unreachable|name resolution" "$log"; then
        fail "cannot reach a package index: check the network (or proxy), then run this again"
    fi
    fail "installing $1 failed: $(grep -i error "$log" | tail -n 1) (full log: $log)"
}
