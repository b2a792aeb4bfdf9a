#!/usr/bin/env bash
# Books added and edited here appear on every replicator, byte for byte.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Replicate: one change, four equal copies"
cluster_start

say "The sample catalogue went through a round of two-phase commit. Files follow the commit within moments:"
check "all four copies are equal" wait_until 20 copies_are_equal

say "A book is added over the REST interface."
answer=$(request POST /books '{"title":"The Concordance","authors":[{"name":"Ada","surname":"Quorum"}]}')
check "the answer is 201: every replicator has it on disk" equals "$(status_of "$answer")" 201
id=$(body_of "$answer" | json it.id)
digest=$(body_of "$answer" | json it.digest)
check "all four copies are equal again" wait_until 20 copies_are_equal
file=$(book_file app-server "$id")
for copy in "${copies[@]}"; do
    check "$copy/$file has the digest that the answer named" equals "$(digest_of "$data/$copy/$file")" "$digest"
done

say "Its file is edited on the app-server's disk, as in an editor: \"Concordance\" becomes \"Concord\"."
sed -i 's/The Concordance/The Concord/' "$data/app-server/$file"
state=$(body_of "$(request GET /replications)" | json "it.items.map(f => f.id + ' ' + f.state).join()")
check "the app-server sees that this one file was modified" equals "$state" "$id modified"

say "Replicate publishes the edit as one round:"
concordance replicate | show
check "all four copies carry the edit" wait_until 20 copies_are_equal
check "the replicators' file says so" grep -q 'The Concord<' "$data/replicator-3/$file"
title_now=$(body_of "$(request GET "/books/$id")" | json it.title)
check "readers see it" equals "$title_now" "The Concord"

say "The round, with its votes:"
round=$(concordance rounds --limit 1 --json | json 'it.items[0].id')
concordance rounds "$round" | show
outcome=$(concordance rounds "$round" --json | json "it.outcome + ' by ' + it.votes.filter(v => v.vote === 'commit').length")
check "three replicators voted commit" equals "$outcome" "committed by 3"
say "Done."
