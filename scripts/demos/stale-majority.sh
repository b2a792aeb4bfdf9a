#!/usr/bin/env bash
# Two of three replicators are put back to an older version by hand; the newest one wins, because its digest is on record.
set -euo pipefail
# shellcheck source=scripts/demos/_cluster.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/_cluster.sh"

title "Stale majority: the newest record wins, not the most copies"
cluster_start
check "all four copies are equal" wait_until 20 copies_are_equal

say "1. A book is added, and its file is set aside: a version that was right at its time."
answer=$(add_book "The First Edition")
id=$(body_of "$answer" | json it.id)
check "all copies have it" wait_until 20 copies_are_equal
file=$(book_file app-server "$id")
old=$cluster_folder/first-edition.xml
cp "$data/replicator-1/$file" "$old"

say "2. The book is changed. All copies have the second edition."
answer=$(request PUT "/books/$id" "$(book_json "The Second Edition")" --header "If-Match: \"$(body_of "$answer" | json it.digest)\"")
check "the change is saved" equals "$(status_of "$answer")" 200
check "all copies are equal again" wait_until 20 copies_are_equal
new=$cluster_folder/second-edition.xml
cp "$data/replicator-3/$file" "$new"
check "it is another file than before" differs "$old" "$new"

say "3. By hand, replicator-1 and replicator-2 get the first edition back: as from a backup that was put in by mistake."
for copy in replicator-1 replicator-2; do cp "$old" "$data/$copy/$file"; done
check "restore --dry-run finds it (exit code 3)" equals "$(exit_code_of concordance restore --dry-run)" 3
check "the dry run changed nothing" cmp --silent "$data/replicator-1/$file" "$old"

say "4. Restore. Two of three replicators agree on the first edition, and it is a valid file; yet it is not what was committed last."
report=$cluster_folder/report.json
status=0
concordance restore --json >"$report" 2>/dev/null || status=$?
json 'it.files.map(f => [f.path + ": " + f.verdict, ...f.ballot.map(v => "  " + v.member + " " + v.holding)].join("\n")).join("\n")' \
    <"$report" | show
check "restore ends with exit code 0: healed" equals "$status" 0
check "this one file is on the list" equals "$(json 'it.files.map(f => f.path).join()' <"$report")" "$file"
check "the verdict is: proven" equals "$(json 'it.files[0].verdict' <"$report")" proven
healed=$(json 'it.files[0].actions.filter(a => a.action === "healed").map(a => a.member).sort().join()' <"$report")
check "both are healed" equals "$healed" replicator-1,replicator-2
for copy in "${copies[@]}"; do
    check "$copy holds the second edition" cmp --silent "$data/$copy/$file" "$new"
done
check "all copies are equal" copies_are_equal
check "a last look finds nothing (exit code 0)" equals "$(exit_code_of concordance restore --dry-run)" 0
say "Done."
