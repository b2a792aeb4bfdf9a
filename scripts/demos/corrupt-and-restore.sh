#!/usr/bin/env bash
# Files are damaged behind the system's back; the vote finds and heals them.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Corrupt and restore: damaged copies, put right by the vote"
cluster_start
check "all four copies are equal" wait_until 20 copies_are_equal
mapfile -t ids < <(body_of "$(request GET '/books?limit=3')" | json 'it.items.map(b => b.id).join("\n")')
files=()
for id in "${ids[@]}"; do files+=("$(book_file app-server "$id")"); done
before=$(copy_digest replicator-1)

all_as_before() {
    local copy
    for copy in "${copies[@]}"; do
        equals "$(copy_digest "$copy")" "$before" || return 1
    done
}

# holding REPORT FILE MEMBER: what the ballot says that the member holds of the file.
holding() {
    json "it.files.find(f => f.path === '$2')?.ballot.find(v => v.member === '$3')?.holding ?? 'not listed'" <<<"$1"
}

in_quarantine() {
    local digest=$1 file
    while IFS= read -r -d '' file; do
        [[ $(digest_of "$file") != "$digest" ]] || return 0
    done < <(find "$data/$2/quarantine" -type f -print0 2>/dev/null)
    return 1
}

say "1. One letter is changed in one file of replicator-2."
victim=$data/replicator-2/${files[0]}
sed -i '0,/<title>./s//<title>#/' "$victim"
damaged=$(digest_of "$victim")
say "A dry run only looks:"
report=$(concordance restore --dry-run --json || true)
check "the ballot names the file, and that replicator-2 holds it damaged" \
    equals "$(holding "$report" "${files[0]}" replicator-2)" damaged
check "replicator-1's copy is intact" equals "$(holding "$report" "${files[0]}" replicator-1)" intact
check "nothing else is on the list" equals "$(json it.files.length <<<"$report")" 1
check "the dry run changed nothing" equals "$(digest_of "$victim")" "$damaged"
say "Restore:"
concordance restore | show
check "all copies are as before, byte for byte" all_as_before
check "the damaged bytes are kept in replicator-2's quarantine" in_quarantine "$damaged" replicator-2

say "2. A file is deleted on two of three replicators. Absence is damage, not a vote to delete."
rm "$data/replicator-1/${files[1]}" "$data/replicator-3/${files[1]}"
concordance restore | show
check "all copies are as before" all_as_before

say "3. The same false file is put on two of three replicators: a majority of copies, but not of the truth."
for copy in replicator-1 replicator-2; do sed -i '0,/<surname>./s//<surname>#/' "$data/$copy/${files[2]}"; done
report=$(concordance restore --json)
json 'it.files.map(f => f.path + ": " + f.verdict).join("\n")' <<<"$report" | show
check "the third copy wins, because its digest is the committed one" \
    equals "$(json 'it.files.map(f => f.verdict).join()' <<<"$report")" proven
check "both are healed" equals "$(json 'it.files[0].actions.filter(a => a.action === "healed").length' <<<"$report")" 2
check "all copies are as before" all_as_before

say "A last look finds nothing:"
check "restore ends with exit code 0" equals "$(exit_code_of concordance restore --dry-run)" 0
say "Done."
