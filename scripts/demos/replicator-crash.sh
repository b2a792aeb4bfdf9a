#!/usr/bin/env bash
# A replicator is killed; writes go on without it, and it comes back and catches up.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Replicator crash: the others go on"
cluster_start
check "all four copies are equal" wait_until 20 copies_are_equal

books_before=$(body_of "$(request GET '/books?limit=1')" | json it.total)
kept=$(find "$data/replicator-2/books" -name '*.xml' | wc -l)

say "1. replicator-2 stands still, as on a machine that hangs (SIGSTOP)."
victim=$(replicator_pid 2)
kill -STOP "$victim"
say "It does not answer, so the first book waits for it a moment; then the view is changed, and the book is saved."
answer=$(add_book "Written without it")
check "the book is saved (201)" equals "$(status_of "$answer")" 201
check "replicator-2 is no longer in sync" wait_until 30 member_is_not replicator-2 in_sync
concordance members | show
for number in 1 2 3; do
    check "book $number is saved by the two others" equals "$(status_of "$(add_book "Missed $number")")" 201
done
check "replicator-2 has none of them" \
    equals "$(find "$data/replicator-2/books" -name '*.xml' | wc -l)" "$kept"

say "2. It is killed (SIGKILL). concordance up starts it again; it is sent what it missed, and nothing else."
kill -KILL "$victim"
check "replicator-2 is in sync again" wait_until 60 member_is replicator-2 in_sync
check "all four copies are equal" wait_until 30 copies_are_equal
books=$(body_of "$(request GET '/books?limit=1')" | json it.total)
check "no acknowledged book is missing" equals "$books" $((books_before + 4))
check "nobody needs help" equals "$(exit_code_of concordance status)" 0
say "Done."
