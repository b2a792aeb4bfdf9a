# Builds the parts of Concordance, each only if it has to be. Sourced by the other scripts; sets `root` and `target`.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

# The programs that make up a cluster.
services=(coordinator replicator app-server)

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The number before the first dot of a version, and the one after it.
version_part() {
    sed -E 's/^[^0-9]*([0-9]+)\.([0-9]+).*/\'"$2"'/' <<<"$1"
}

check_rust() {
    command -v cargo >/dev/null ||
        fail "Rust is missing (no cargo in PATH). Install it from https://rustup.rs and run this again."
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    have=$(cd "$root" && rustc --version)
    if (($(version_part "$have" 1) * 1000 + $(version_part "$have" 2) < \
        $(version_part "$wanted" 1) * 1000 + $(version_part "$wanted" 2))); then
        fail "Rust $wanted or later is needed, this is $have. Run \`rustup update\` and then this again."
    fi
}

check_node() {
    command -v node >/dev/null && command -v npm >/dev/null ||
        fail "Node.js is missing (node and npm in PATH). Install version 20 or later and run this again."
    local have
    have=$(node --version)
    (($(version_part "$have" 1) >= 20)) || fail "Node.js 20 or later is needed, this is $have."
}

# What a stamp file says about the inputs on its standard input: nothing to do if it says the same as last time.
stamp_is_current() {
    [[ -f $1 && $(<"$1") == "$2" ]]
}

write_stamp() {
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >"$1"
}

# Packages of the frontend, when its lock file (or node) is another one than last time.
install_frontend_packages() {
    local stamp=$target/stamps/frontend-packages inputs
    inputs=$(node --version && sha256sum <"$root/frontend/package-lock.json")
    if [[ -d $root/frontend/node_modules ]] && stamp_is_current "$stamp" "$inputs"; then
        return
    fi
    echo "installing the packages of the frontend"
    rm -f "$stamp"
    (cd "$root/frontend" && npm ci --no-audit --no-fund) || return
    write_stamp "$stamp" "$inputs"
}

# The web page, when a file of the frontend is another one than last time.
build_frontend() {
    local stamp=$target/stamps/frontend-build inputs
    inputs=$(
        cd "$root/frontend" &&
            find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
    )
    if [[ -f $root/frontend/dist/index.html ]] && stamp_is_current "$stamp" "$inputs"; then
        return
    fi
    echo "building the web page"
    rm -f "$stamp"
    (cd "$root/frontend" && npm run --silent build) || return
    write_stamp "$stamp" "$inputs"
}

# The programs, with these flags for cargo (such as --release).
build_programs() {
    local packages=(--package cli) service
    for service in "${services[@]}"; do packages+=(--package "$service"); done
    (cd "$root" && cargo build --locked --bins "${packages[@]}" "$@")
}
