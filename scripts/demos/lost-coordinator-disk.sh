#!/usr/bin/env bash
# The coordinator's disk is lost. Nothing guesses; `concordance recover` shows what the replicators hold, and brings everything back.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

coordinator_url() { concordance status --json | json '"http://" + it.coordinator.address.replace(/^ws:\/\//, "").replace(/\/.*$/, "")'; }
plan_has_reason() {
    local reason
    # It ends with an exit code of its own as long as nobody says yes.
    reason=$({ concordance recover --coordinator "$coordinator" --json --wait-seconds 0 || true; } 2>/dev/null </dev/null | json it.reason 2>/dev/null) || return 1
    [[ -n $reason && $reason != null ]]
}
writes_are_taken() { [[ $(concordance status --json 2>/dev/null | json it.accepting_writes) == true ]]; }

title "The coordinator's disk is lost"
cluster_start
check "all four copies are equal" wait_until 20 copies_are_equal
check "a book is saved" equals "$(status_of "$(add_book "Before the loss")")" 201
books=$(body_of "$(request GET '/books?limit=1')" | json it.total)
coordinator=$(coordinator_url)

say "1. The coordinator's directory is deleted, and its process killed. concordance up starts it again, on nothing."
process=$(coordinator_pid)
rm -r "$data/coordinator"
kill -KILL "$process"
check "the new coordinator is not sure of its log" wait_until 30 plan_has_reason
check "reads go on" equals "$(body_of "$(request GET '/books?limit=1')" | json it.total)" "$books"
check "and nothing is guessed: it takes no writes" equals "$(concordance status --json | json it.accepting_writes)" false

say "2. concordance recover shows what each replicator holds, what it would do, and what that could cost."
concordance recover --coordinator "$coordinator" </dev/null 2>/dev/null | show || true
check "it does nothing before somebody says yes" plan_has_reason

say "3. Somebody says yes."
check "it is done" equals "$(exit_code_of concordance recover --coordinator "$coordinator" --yes)" 0
check "writes go on by themselves" wait_until 60 writes_are_taken
check "a book is saved" equals "$(status_of "$(add_book "After the loss")")" 201
check "no acknowledged book is missing" \
    equals "$(body_of "$(request GET '/books?limit=1')" | json it.total)" $((books + 1))
check "all four copies are equal" wait_until 30 copies_are_equal
say "Done."
