#!/usr/bin/env bash
# One vote against is enough: the round aborts, and nothing changes anywhere.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Abort: all or nothing"
cluster_start --lab
check "all four copies are equal" wait_until 20 copies_are_equal
before=$(copy_digest replicator-1)

nothing_changed() {
    local copy
    for copy in replicator-1 replicator-2 replicator-3; do
        equals "$(copy_digest "$copy")" "$before" || return 1
    done
}

say "A file is edited on the app-server's disk, and published with the choice ABORT."
id=$(body_of "$(request GET '/books?limit=1')" | json 'it.items[0].id')
file=$(book_file app-server "$id")
original=$(digest_of "$data/app-server/$file")
sed -i 's/<title>/<title>Edited: /' "$data/app-server/$file"
edited=$(digest_of "$data/app-server/$file")
check "the file has changed" test "$edited" != "$original"
concordance replicate --abort 2>&1 | show
outcome=$(concordance rounds --limit 1 --json | json 'it.items[0].outcome')
check "the newest round is aborted" equals "$outcome" aborted
check "no replicator has changed a byte" nothing_changed
check "the edit is still there to be published" equals "$(digest_of "$data/app-server/$file")" "$edited"
state=$(body_of "$(request GET /replications)" | json 'it.items[0].state')
check "and the app-server still calls the file modified" equals "$state" modified

say "Restore puts the app-server's copy back."
concordance restore | show
check "the file has its old bytes" equals "$(digest_of "$data/app-server/$file")" "$original"

say "Now replicator-2 is told to vote abort on its next round, and a book is added."
request POST /lab/replicators/replicator-2/vote-abort '{"reason":"this shelf is full"}' >/dev/null
answer=$(request POST /books '{"title":"Never to be","authors":[{"name":"","surname":"Nobody"}]}')
check "the answer is 409: aborted, for good" equals "$(status_of "$answer")" 409
vote=$(body_of "$answer" | json "it.votes.filter(v => v.vote === 'abort').map(v => v.member + ': ' + v.reason).join()")
check "it names the vote and its reason" equals "$vote" "replicator-2: this shelf is full"
check "no replicator has changed a byte" nothing_changed
found=$(body_of "$(request GET '/books?title=Never%20to%20be')" | json it.total)
check "nobody finds the book" equals "$found" 0

say "The next try commits: an abort leaves nothing behind."
answer=$(request POST /books '{"title":"To be","authors":[{"name":"","surname":"Somebody"}]}')
check "the answer is 201" equals "$(status_of "$answer")" 201
check "all four copies are equal" wait_until 20 copies_are_equal
say "Done."
