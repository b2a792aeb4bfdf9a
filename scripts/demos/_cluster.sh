# A cluster of one's own for a demonstration or a test: on free ports, in a temporary directory, gone at the end however
# that comes. Sourced; then: cluster_start [flags of `concordance up`]. Sets `url` and `data`.
# shellcheck shell=bash

# shellcheck source=scripts/_build.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../_build.sh"

cluster_pid=
cluster_folder=
url=
data=

# --- narration and checks ---------------------------------------------------------------------------------------------

title() { printf '\n%s\n%s\n' "$*" "$(sed 's/./=/g' <<<"$*")"; }
say() { printf '\n%s\n' "$*"; }
show() { sed 's/^/    /'; }

# check "what must hold" command…: the demonstration ends here if it does not.
check() {
    local claim=$1
    shift
    if "$@"; then
        printf '  [ok] %s\n' "$claim"
    else
        printf '  [NO] %s\n' "$claim" >&2
        printf '\nThe demonstration failed: a claim does not hold.\n' >&2
        [[ -z $cluster_folder ]] || tail -n 15 "$cluster_folder/up.out" >&2
        exit 1
    fi
}

differs() { ! cmp --silent "$1" "$2"; }

equals() {
    [[ $1 == "$2" ]] || {
        printf '       expected: %s\n       found:    %s\n' "$2" "$1" >&2
        return 1
    }
}

# wait_until SECONDS command…: tries until the command succeeds; fails when the time is up.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# exit_code_of command…: prints its exit code and nothing else.
exit_code_of() {
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

# json EXPRESSION: the value of a JavaScript expression over the JSON on standard input, which is called `it`.
json() {
    node -e '
        const it = JSON.parse(require("fs").readFileSync(0, "utf8"))
        const value = new Function("it", `return (${process.argv[1]})`)(it)
        console.log(typeof value === "string" ? value : JSON.stringify(value))
    ' "$1"
}

# --- the cluster ------------------------------------------------------------------------------------------------------

concordance() { "$programs/concordance" --server "$url" "$@"; }

# request METHOD PATH [JSON] [curl arguments…]: prints the answer's body, and its status on a last line.
request() {
    local method=$1 path=$2 body=${3:-}
    shift $(($# < 3 ? $# : 3))
    local arguments=(--silent --show-error --max-time 60 --request "$method" --write-out '\n%{http_code}\n')
    [[ -z $body ]] || arguments+=(--header 'Content-Type: application/json' --data "$body")
    curl "${arguments[@]}" "$@" "$url/api/v1$path"
}

status_of() { tail -n 1 <<<"$1"; }
body_of() { sed '$d' <<<"$1"; }

# book_json TITLE: a book as the REST interface takes it.
book_json() { printf '{"title":"%s","authors":[{"name":"Ada","surname":"Quorum"}]}' "$1"; }

# add_book TITLE: prints the answer as `request` does.
add_book() { request POST /books "$(book_json "$1")"; }

# member_is ID STATE [ROLE]: whether the cluster says so.
member_is() {
    local found
    found=$(concordance members --json 2>/dev/null | json "it.filter(m => m.id === '$1').map(m => m.state + ' ' + m.role).join()") || return 1
    [[ $found == "$2 ${3:-voter}" ]]
}
member_is_not() { ! member_is "$@"; }

# The coordinator's process.
coordinator_pid() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $(basename "$(readlink "$process/exe" 2>/dev/null)") == coordinator ]] &&
            tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -qxF "$data/coordinator"; then
            basename "$process"
            return
        fi
    done
    return 1
}

up_has_said() { grep -qsF "$1" "$cluster_folder/up.out"; }

# The process of a replicator: the one that has its data directory on its command line.
replicator_pid() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $(basename "$(readlink "$process/exe" 2>/dev/null)") == replicator ]] &&
            tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -qxF "$data/replicator-$1"; then
            basename "$process"
            return
        fi
    done
    return 1
}

find_programs() {
    if [[ -n ${CONCORDANCE_BIN_DIR:-} ]]; then
        programs=$CONCORDANCE_BIN_DIR
    else
        check_rust
        check_node
        install_frontend_packages
        build_frontend
        build_programs --release
        programs=$target/release
    fi
}

port_is_free() {
    # A connection that succeeds has found somebody listening.
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

cluster_start() {
    command -v curl >/dev/null || fail "curl is missing; install it and run this again."
    find_programs
    trap cluster_stop EXIT
    trap 'printf "\nThe demonstration stopped: line %s failed.\n" "$LINENO" >&2' ERR
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cluster_folder=$(mktemp --directory --tmpdir 'concordance demo.XXXXXX')
    data=$cluster_folder/data
    # Beside a cluster that may be running, and beside another demonstration.
    local port=$((17000 + (RANDOM % 200) * 50)) tries
    for tries in {1..20}; do
        if port_is_free "$port" && port_is_free $((port + 10)) && port_is_free $((port + 21)); then break; fi
        ((tries < 20)) || fail "no free ports were found"
        port=$((port + 50))
    done
    url=http://127.0.0.1:$port
    "$programs/concordance" up --data "$data" --port "$port" "$@" >"$cluster_folder/up.out" 2>&1 </dev/null &
    cluster_pid=$!
    wait_until 150 cluster_is_up_or_dead || true
    if ! grep -q 'Concordance is running' "$cluster_folder/up.out"; then
        show <"$cluster_folder/up.out" >&2
        fail "the cluster did not start"
    fi
    say "A cluster of its own is running at $url: one coordinator, three replicators, one app-server."
}

cluster_is_up_or_dead() {
    up_has_said 'Concordance is running' || ! kill -0 "$cluster_pid" 2>/dev/null
}

cluster_stop() {
    local status=$?
    trap - EXIT INT TERM
    if [[ -n $cluster_pid ]]; then
        kill -TERM "$cluster_pid" 2>/dev/null || true
        wait "$cluster_pid" 2>/dev/null || true
    fi
    [[ -z $cluster_folder ]] || rm -rf -- "$cluster_folder"
    exit "$status"
}

# --- the copies -------------------------------------------------------------------------------------------------------

copies=(app-server replicator-1 replicator-2 replicator-3)

# The file of a book, by its id, in the copy of a member. Looked up in a given copy, so that no layout is assumed.
book_file() {
    (cd "$data/$1" && find books -type f -name "$2.xml")
}

digest_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# Whether all copies have the same files with the same bytes.
copies_are_equal() {
    local copy
    for copy in "${copies[@]:1}"; do
        diff --recursive --brief "$data/app-server/books" "$data/$copy/books" >/dev/null || return 1
    done
}

# A digest over the names and bytes of all files of a copy.
copy_digest() {
    (cd "$data/$1/books" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum
}
