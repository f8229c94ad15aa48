"""A reboot in the middle of a confirm window: what comes back is what was confirmed."""

import sys
from pathlib import Path

from tests.lab.vm import run_in_vm

SEGC = f"{sys.executable} -m segc"
WHERE = "--state-dir /run/lab/state"
POLICY = """
zone a { subnet 10.1.0.0/24 }
zone b { subnet 10.2.0.0/24 }
gateway gw {
  interface a0 { zone a }
  interface b0 { zone b }
  address a 10.1.0.1/24
  address b 10.2.0.1/24
  manage from a : tcp/22
}
allow as old a -> b : tcp/443
"""
MORE = "allow as new b -> a : tcp/25\n"
BEFORE = f"""
for each in a0 b0; do ip link add $each type dummy; done
{SEGC} apply --no-confirm {WHERE} /run/lab/old.seg
{SEGC} install {WHERE}
{SEGC} apply --confirm 1h {WHERE} /run/lab/new.seg
nft list counters | grep flow_new
readlink /run/lab/state/current
"""
AFTER = f"""
for each in a0 b0; do ip link add $each type dummy; done
sh /run/lab/state/boot.sh
nft list chains | grep generation_
nft list counters | grep flow_
{SEGC} status {WHERE}
{SEGC} verify --heal {WHERE}
{SEGC} verify {WHERE}
{SEGC} history {WHERE}
rm /run/lab/state/confirmed
nft delete table inet segc
sh /run/lab/state/boot.sh || echo closed
nft list table inet segc
"""


def test_what_nobody_confirmed_is_gone_after_a_reboot(tmp_path: Path) -> None:
    (tmp_path / "old.seg").write_text(POLICY)
    (tmp_path / "new.seg").write_text(POLICY + MORE)
    before = run_in_vm(["sh", "-ec", BEFORE], 600, systemd=True, share=tmp_path)
    assert before.exit_code == 0, before.output
    assert before.output.endswith("flow_new {\ngenerations/2\n")
    (tmp_path / "exit_code").unlink()
    after = run_in_vm(["sh", "-ec", AFTER], 600, share=tmp_path)
    assert after.exit_code == 0, after.output
    told = after.output
    assert "chain generation_1 {" in told
    assert "flow_old" in told
    assert "flow_new" not in told
    assert "generation 2 was not confirmed before a reboot: generation 1 is what stands" in told
    assert "gw: the kernel is as generation 1 left it" in told
    assert "undone     not confirmed before a reboot" in told
    assert "closed\ntable inet segc {" in told
    assert "chain closed_forward {" in told
