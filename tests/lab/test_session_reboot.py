"""Sessions over a reboot, kept by the agent that systemd runs: those that are still valid come back."""

import json
import sys
from pathlib import Path

from tests.lab.vm import run_in_vm

SEGC = f"{sys.executable} -m segc"
WHERE = "--state-dir /run/lab/state"
POLICY = """
zone a { subnet 10.1.0.0/24 }
zone b { subnet 10.2.0.0/24 }
group staff { user "ana@acme.example", "bo@acme.example" }
gateway gw {
  interface a0 { zone a }
  interface b0 { zone b }
  address a 10.1.0.1/24
  address b 10.2.0.1/24
  manage from a : tcp/22
}
allow group staff in a -> b : tcp/443
"""
BEFORE = f"""
for each in a0 b0; do ip link add $each type dummy; done
{SEGC} apply --no-confirm {WHERE} /run/lab/policy.seg
{SEGC} install {WHERE}
{SEGC} bind --user ana@acme.example --address 10.1.0.5 --ttl 1h
{SEGC} bind --user bo@acme.example --address 10.1.0.6 --ttl 3s
getent group segc
stat -c '%a %G' /run/segc/sessions.sock
systemctl kill -s KILL segc-agent.service
until {SEGC} sessions; do sleep 0.2; done
journalctl -o cat -t segc
systemd-analyze security --no-pager segc-agent.service | tail -1
sync
"""
AFTER = f"""
for each in a0 b0; do ip link add $each type dummy; done
sh /run/lab/state/boot.sh
{SEGC} agent {WHERE} &
until {SEGC} sessions >/dev/null 2>&1; do sleep 0.2; done
{SEGC} sessions --format json >/run/lab/sessions.json
nft list sets | grep expires
{SEGC} status {WHERE}
kill $!
"""


def test_what_is_still_valid_comes_back_with_the_time_it_has_left(tmp_path: Path) -> None:
    (tmp_path / "policy.seg").write_text(POLICY)
    before = run_in_vm(["sh", "-ec", BEFORE], 600, systemd=True, share=tmp_path)
    assert before.exit_code == 0, before.output
    told = before.output
    assert "660 segc" in told
    assert "ana@acme.example  10.1.0.5" in told, "killed, it was back"
    assert '"event.action":"bind"' in told
    (tmp_path / "exit_code").unlink()
    after = run_in_vm(["sh", "-ec", AFTER], 600, share=tmp_path)
    assert after.exit_code == 0, after.output
    (session,) = json.loads((tmp_path / "sessions.json").read_text())["sessions"]
    assert session["user"] == "ana@acme.example"
    assert session["until"] - session["since"] < 3601
    assert "10.1.0.5" in after.output
    assert "10.1.0.6" not in after.output
    assert "\n1 session\n" in after.output
