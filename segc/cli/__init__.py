"""The `segc` command, one file a command: parse arguments, call, print."""


def main() -> None:
    """The entry point; does not return."""
    from segc.cli.app import segc
    from segc.cli.terminal import open_missing

    open_missing()
    segc.main(prog_name="segc")
