#!/bin/sh
# Every exit code that DESIGN promises, as a pipeline meets it: `exit_codes.sh` as root, with segc in the PATH.
# Works in a network namespace and a folder of its own, and takes both away.
set -eu
work=$(mktemp -d)
netns="segc-exit-$$"
segc_here="--netns $netns --state-dir $work/state"
ip netns add "$netns"
trap 'ip netns delete "$netns"; rm -rf "$work"' EXIT
cd "$work"

failed=0
# expect CODE WHAT COMMAND...
expect() {
  wanted=$1 what=$2
  shift 2
  code=0
  "$@" >out 2>&1 </dev/null || code=$?
  if [ "$code" = "$wanted" ]; then
    echo "ok $wanted: $what"
  else
    echo "NOT $wanted but $code: $what: $*"
    cat out
    failed=1
  fi
}
# Where it works is the same for all that touch a kernel.
on_host() { segc "$@" $segc_here; }

cat >old.seg <<'EOF'
zone lan { vlan 1 subnet 10.1.0.0/24 tag core }
zone far { external }
gateway gw {
  interface wan0 { zone far address dhcp }
  interface lan0 { zone lan }
  address lan 10.1.0.1/24
}
allow as web lan -> far : tcp/443
EOF
{ cat old.seg; echo 'allow as ssh far -> lan : tcp/22'; } >new.seg
echo 'allow nobody -> nowhere : tcp/1' >bad.seg

expect 0 'a clean policy' segc check --strict old.seg
expect 1 'a policy with errors' segc check bad.seg
expect 1 'no such file' segc check missing.seg
expect 1 'an apply of a policy with errors' on_host apply bad.seg
expect 2 'an unknown option' segc check --no-such-option
expect 2 'an unknown command' segc deploy
expect 2 'options that exclude each other' on_host apply old.seg --confirm 60s --no-confirm
expect 4 'an apply that would cut its own connection' \
  env SSH_CONNECTION='10.1.0.9 50000 10.1.0.1 22' segc apply old.seg $segc_here
expect 1 'a confirmation where nothing was ever applied' on_host confirm
expect 0 'an apply' on_host apply old.seg
expect 0 'an apply with nothing to do' on_host apply old.seg --confirm 60s
expect 0 'and its confirmation' on_host confirm
expect 0 'a plan without changes' on_host plan old.seg --detailed-exitcode
expect 0 'a plan with changes, when nobody asks' on_host plan new.seg
expect 3 'a plan with changes' on_host plan new.seg --detailed-exitcode
expect 1 'a plan that meets a condition' on_host plan new.seg --fail-on gains:to-tag=core
expect 0 'a plan that meets none' on_host plan new.seg --fail-on losses
expect 2 'a condition on what is no tag' on_host plan new.seg --fail-on gains:to-tag=corr

expect 0 'a plan that is saved' on_host plan new.seg --out plan.json
expect 0 'a kernel as it was left' on_host verify
nsenter --net="/run/netns/$netns" nft add chain inet segc by_hand
expect 3 'a kernel that somebody changed' on_host verify
expect 6 'a plan that is stale' on_host apply plan.json
expect 0 'what was changed put right' on_host verify --heal
expect 0 'the plan holds again' on_host apply plan.json
expect 6 'the same plan twice' on_host apply plan.json
expect 0 'an apply that waits for its confirmation' on_host apply old.seg --confirm 60s
expect 6 'another apply meanwhile' on_host apply new.seg
expect 0 'and its undoing' on_host rollback

expect 0 'an apply to be confirmed' on_host apply old.seg --confirm 2s
sleep 4
confirm_late() {  # on a slow machine it may still be undone, and another segc is at work meanwhile
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    late=0
    on_host confirm || late=$?
    [ "$late" = 6 ] || return "$late"
    sleep 2
  done
  return 1
}
expect 5 'a confirmation that comes too late' confirm_late
expect 0 'and the former policy stands' on_host plan new.seg --detailed-exitcode
expect 0 'an apply of what stands' on_host apply new.seg --confirm 60s
expect 0 'and its confirmation, as for what was undone before' on_host confirm
expect 0 'a rollback' on_host rollback 1
expect 0 'and it is back' on_host plan old.seg --detailed-exitcode
exit "$failed"
