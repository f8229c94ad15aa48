"""`segc identity`."""

from __future__ import annotations

import click

from segc.cli.identity import revoke, show, sync


@click.group("identity")
def command() -> None:
    """Know who is in the groups of directories: LDAP, Active Directory, SCIM, Entra ID, Okta, exports.

    What they say is kept in `identities.lock.json` beside the policy, to be reviewed like the policy itself.
    `identity.toml` beside it says where they are.
    """


for each in (sync, show, revoke):
    command.add_command(each.command)
