#!/bin/sh
# Takes this host back from one generation to the one before. It needs sh, nft, ip and bridge, and nothing of
# segc: what is to be done was written beside it before anything was changed. Running it twice does no harm.
#
#   sh revert.sh [TOKEN]     with a token, only if the window that was opened with it still is
#
# Beside it: conf (names), inverse*.nft (the transactions back), whole.nft (the former table), links.sh.

set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C TZ=UTC
here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/conf"

# Into the namespace, if the generation is of one.
if [ -n "$netns" ] && [ -z "${SEGC_INSIDE-}" ]; then
    SEGC_INSIDE=1 exec nsenter "--net=/run/netns/$netns" /bin/sh "$here/revert.sh" "$@"
fi

# Alone, unless whoever runs this has the lock. One that hangs with the lock must not keep us from it.
if [ -z "${SEGC_LOCKED-}" ]; then
    (: >>"$state/lock") 2>/dev/null && exec 9>>"$state/lock" && flock -w 20 9
fi

# Confirmed, undone or disarmed meanwhile?
[ "$(readlink "$state/pending")" = "generations/$number" ] || exit 0
[ "$(readlink "$state/confirmed")" != "generations/$number" ] || exit 0
[ $# -eq 0 ] || grep -q "\"token\": \"$1\"" "$state/window.json" || exit 0

marked() {
    nft -j list chains | grep -Eq "\"family\": \"inet\", \"table\": \"segc\", \"name\": \"generation_$1\""
}

# Has segc do something beside, in so many seconds. It may not be there to ask.
segc() {
    seconds=$1 module=$2
    shift 2
    [ -n "$former" ] && timeout "$seconds" "$python" -m "$module" "$state" "$former" "$@" </dev/null 2>/dev/null
}

# A transaction, with who is to be in the sets of people that it makes: as a rule the new ones, else all.
load() {
    people=$(segc 10 segc.sessions.seats $(grep -q '^delete table' "$1" && echo all))
    [ -n "$people" ] && { cat "$1"; printf '%s\n' "$people"; } | nft -f - || nft -f "$1"
}

inverse() {
    load "$here/inverse0.nft" || return 1
    for each in "$here"/inverse[1-9].nft; do
        [ ! -e "$each" ] || nft -f "$each" || return 1
    done
}

failed=
if marked "$number"; then
    { inverse && ! marked "$number"; } || load "$here/whole.nft" || failed=1
    marked "$number" && failed=1  # an empty file is loaded without complaint
elif [ -n "$former" ] && ! marked "$former"; then
    load "$here/whole.nft" || failed=1
fi
sh "$here/links.sh" 2>/dev/null

# Connections that only the undone generation allowed. If they cannot be told apart, all are asked again.
if ! segc 30 segc.apply.connections >/dev/null; then
    if command -v conntrack >/dev/null 2>&1; then conntrack -F >/dev/null 2>&1; fi
fi

[ -z "$failed" ] || exit 1
mkdir -p "$state/ended"
echo "${why-not confirmed in time}" >"$state/ended/$number"
if [ -n "$former" ]; then
    # Where that cannot be written, it stays pending, and is undone again.
    ln -sfn "generations/$former" "$state/.current.revert" || exit 1
    mv -fT "$state/.current.revert" "$state/current" || exit 1
else
    rm -f "$state/current"
fi
rm -f "$state/pending" "$state/window.json"
sync "$state" 2>/dev/null
exit 0
