#!/usr/bin/env bash
# Under load, a fourth replicator joins, an observer follows, and the first is sent away; all copies end equal.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Join: members come and go while everybody writes"
cluster_start
check "all four copies are equal" wait_until 20 copies_are_equal

written=$cluster_folder/written
refused=$cluster_folder/refused
enough=$cluster_folder/enough
touch "$written" "$refused"

# Adds one book after the other until there are enough; notes what was acknowledged and what was not.
write_books() {
    local number=0 answer
    while [[ -f $written && ! -f $enough ]]; do
        number=$((number + 1))
        answer=$(add_book "Under load $1-$number") || answer="no answer"
        if [[ $(status_of "$answer") == 201 ]]; then
            echo "$1-$number" >>"$written"
        else
            echo "$1-$number: $answer" >>"$refused"
        fi
    done
}
count_written() { wc -l <"$written"; }
written_at_least() { (($(count_written) >= $1)); }
more_are_written() { wait_until 60 written_at_least $(($(count_written) + 5)); }

say "Two writers begin to add books, and do not stop."
writers=()
for writer in a b; do
    write_books "$writer" &
    writers+=($!)
done
check "books are written" more_are_written

say "1. replicator-4 is made a member. concordance up sees that and starts it; it is brought level, then it votes."
concordance member add replicator-4 2>&1 | show
check "replicator-4 is a voter in sync" wait_until 60 member_is replicator-4 in_sync voter
check "the writers go on" more_are_written

say "2. replicator-5 is added as an observer: it gets every round and has no vote."
concordance member add replicator-5 --observer 2>&1 | show
check "replicator-5 is level" wait_until 60 member_is replicator-5 in_sync observer
check "the writers go on" more_are_written

say "3. replicator-1 is removed. It is told so, stops, and is not started again."
concordance member remove replicator-1 2>&1 | show
check "it has stopped" wait_until 30 up_has_said "replicator-1 is no longer a member and has stopped"
check "the writers go on" more_are_written
concordance members | show

say "The writers stop."
touch "$enough"
wait "${writers[@]}"
check "not one of $(count_written) books was refused" equals "$(cat "$refused")" ""
copies=(app-server replicator-2 replicator-3 replicator-4 replicator-5)
check "the copies of the app-server and of replicators 2, 3, 4 and 5 are equal (diff -r)" wait_until 30 copies_are_equal
found=$(grep -rhoE '<title>Under load [^<]*' "$data/replicator-4/books" | sed 's/.*load //' | LC_ALL=C sort)
check "replicator-4 holds every book that was acknowledged" equals "$found" "$(LC_ALL=C sort "$written")"
say "Done."
