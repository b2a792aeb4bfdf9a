#!/usr/bin/env bash
# The coordinator dies in the middle of a round, before and after its decision; no change is lost or made twice.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Coordinator crash: in doubt, and out of it"
cluster_start --lab
check "all four copies are equal" wait_until 20 copies_are_equal

epoch() { concordance status --json | json it.epoch; }
deaths() { grep -c 'coordinator died (signal: 9 (SIGKILL))' "$cluster_folder/up.out" || true; }
is_well() { concordance status >/dev/null 2>&1; }
one_more_death() { (($(deaths) > deaths_before)); }

# change_state KEY: committed, aborted, unknown, or "not known" when there is no such change.
change_state() { body_of "$(request GET "/changes/$1")" | json 'it.state ?? "not known"'; }
is_decided() { [[ $(change_state "$1") != unknown ]]; }

# crash POINT: a book is written while the coordinator dies at this point of the round.
crash() {
    local point=$1 key="demo-$1" answer deaths_before epoch_before state books expected=0
    deaths_before=$(deaths)
    epoch_before=$(epoch)
    request POST /lab/coordinator/crash-at "{\"point\":\"$point\"}" >/dev/null
    answer=$(request POST /books "{\"title\":\"Crash at $point\",\"authors\":[{\"name\":\"\",\"surname\":\"Phoenix\"}]}" \
        --header "Idempotency-Key: $key")
    echo "  the client was answered: $(status_of "$answer")"
    check "the coordinator died" wait_until 20 one_more_death
    check "it is back, and nothing is in doubt" wait_until 30 is_well
    check "it has a new epoch" test "$(epoch)" -gt "$epoch_before"
    check "the change is decided" wait_until 30 is_decided "$key"
    state=$(change_state "$key")
    echo "  the change is: $state"
    case $(status_of "$answer") in
    201) check "what was acknowledged is committed" equals "$state" committed ;;
    409 | 503) check "what was refused is not committed" test "$state" != committed ;;
    esac
    [[ $state != committed ]] || expected=1
    books=$(body_of "$(request GET "/books?title=Crash%20at%20$point")" | json it.total)
    check "the book is there exactly as often as that says" equals "$books" "$expected"
    check "all four copies are equal" wait_until 20 copies_are_equal
    last_state=$state
}

say "1. It dies after \"prepare\" was sent. Nothing is decided, so that round is aborted (presumed abort)."
crash prepare_sent

say "2. It dies with all votes in its hands, one moment before the decision is on disk."
crash votes_received

say "3. It dies one moment after. The decision stands, though nobody was told."
crash decision_durable
check "the change is committed" equals "$last_state" committed

say "4. It dies when one replicator was told. The others learn it from the decision log."
crash first_commit_sent
check "the change is committed" equals "$last_state" committed
say "Done."
