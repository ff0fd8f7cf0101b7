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

# The clients of the tests with tools: Python's and Node's drivers, Debian's JDBC driver. Their versions stand in
# tests/clients, what is installed in target/tmp; a change of the former installs anew.
need_clients() {
    # Where one cannot be installed its tests say that they are skipped; CI tests everything.
    local kind
    for kind in python node java; do
        (need_${kind}_clients) || { [ -z "${CI:-}" ] && say "the tests with clients for $kind are skipped"; } || return 1
    done
}

# current FILE STAMP: whether what is installed is what the file asks for.
current() { cmp -s "tests/clients/$1" "$2"; }

need_python_clients() {
    local home=target/tmp/python list=requirements.txt
    if ! [ -x $home/bin/python ] || ! current $list $home/$list; then
        say "installing Python's clients into $home"
        { python3 -m venv $home 2>/dev/null || { need_packages python3-venv && python3 -m venv $home; }; } &&
            $home/bin/pip install --quiet --disable-pip-version-check -r tests/clients/$list </dev/null &&
            cp tests/clients/$list $home || { rm -rf $home && return 1; }
    fi
}

need_node_clients() {
    local home=target/tmp/node list=package-lock.json
    command -v npm >/dev/null || need_packages nodejs npm
    if ! current $list $home/$list; then
        say "installing Node's clients into $home"
        mkdir -p $home
        cp tests/clients/package.json $home
        cp tests/clients/$list $home/$list.new
        (cd $home && mv $list.new $list && npm ci --silent --no-audit --no-fund </dev/null) || { rm -f $home/$list && return 1; }
    fi
}

# The programs are compiled once, since a test may run them three times.
need_java_clients() {
    local home=target/tmp/java missing=()
    command -v javac >/dev/null || missing+=(default-jdk-headless)
    [ -f /usr/share/java/postgresql.jar ] || missing+=(libpostgresql-jdbc-java)
    [ ${#missing[@]} -eq 0 ] || need_packages "${missing[@]}"
    mkdir -p $home
    javac -d $home -cp /usr/share/java/postgresql.jar tests/clients/jdbc/*.java
}
