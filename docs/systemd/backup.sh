#!/bin/sh
# Save the journal and campaign.json of every campaign, whole and without stopping it: backup.sh CAMPAIGNS COPIES
set -eu
today=$(date -u +%Y-%m-%d)
failed=0
for journal in "$1"/*/journal.sqlite; do
    [ -e "$journal" ] || continue
    campaign=$(dirname "$journal")
    copies=$2/$(basename "$campaign")
    mkdir -p "$copies"
    # sqlite's own backup: a copy with cp may fall between two writes
    if sqlite3 -readonly "$journal" ".timeout 20000" ".backup '$copies/partial'" &&
        [ "$(sqlite3 "$copies/partial" 'PRAGMA quick_check')" = ok ]; then
        mv "$copies/partial" "$copies/$today.sqlite"
        cp "$campaign/campaign.json" "$copies/"
    else
        echo "no copy of $journal could be made" >&2
        failed=1
    fi
    find "$copies" -name '*.sqlite' -mtime +30 -delete
done
exit $failed
