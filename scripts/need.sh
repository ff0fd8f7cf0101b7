# What a fresh Debian or Ubuntu lacks: installed where this user may, otherwise said exactly. Sourced by ./demo, ./test
# and .ci/run.

say() { printf '\n== %s\n' "$*"; }
die() { printf '\n%s\n' "$*" >&2; exit 1; }

# need_packages PACKAGE...: Debian packages, installed by root, named to anybody else.
need_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $*"
        apt-get update -qq </dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
    else
        die "Missing here: $*. Type this, then run the command again:

    sudo apt-get update && sudo apt-get install -y $*"
    fi
}

need_cargo() {
    command -v cargo >/dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
    command -v cargo >/dev/null || die "Missing here: Rust 1.95 or newer with cargo, by rustup or your distribution."
}

# A C compiler builds the parser, libclang writes its bindings.
need_build_tools() {
    local missing=()
    command -v cc >/dev/null || missing+=(build-essential)
    has_libclang || missing+=(libclang-dev)
    [ ${#missing[@]} -eq 0 ] || need_packages "${missing[@]}"
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*-linux-gnu/libclang*.so*' >/dev/null
}

# Prints the folder of initdb, postgres, psql and pgbench: the same that the tests find.
postgres_bin() {
    local version
    if [ -n "${VEILGATE_TEST_POSTGRES_BIN:-}" ]; then
        printf '%s\n' "$VEILGATE_TEST_POSTGRES_BIN"
        return
    fi
    version=$(ls /usr/lib/postgresql 2>/dev/null | grep -xE '[0-9]+' | sort -n | tail -n 1)
    if [ -n "$version" ] && [ -x "/usr/lib/postgresql/$version/bin/initdb" ]; then
        printf '/usr/lib/postgresql/%s/bin\n' "$version"
    elif command -v initdb >/dev/null; then
        dirname "$(command -v initdb)"
    else
        return 1
    fi
}

need_postgres() { postgres_bin >/dev/null || need_packages postgresql; }

# Python with psycopg, for the tests with drivers.
need_psycopg() {
    local home=target/tmp/python
    if [ ! -x $home/bin/python ] || ! $home/bin/python -c 'import psycopg' 2>/dev/null; then
        say "installing psycopg into $home"
        python3 -m venv $home 2>/dev/null || { need_packages python3-venv && python3 -m venv $home; }
        $home/bin/pip install --quiet 'psycopg[binary]>=3.2,<4' </dev/null
    fi
}
