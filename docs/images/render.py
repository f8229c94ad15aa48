"""What `segc` prints, as pictures: `python -m docs.images.render` writes the SVG files beside this one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDIT = "allow guests -> servers.portal : https"
CHARACTER, LINE, MARGIN = 8.4, 19, 16  # pixels of a 14 px monospaced font
COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "36": "#76e3ea"}
SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")


def check_and_trace() -> str:
    """A session with the office: a promise broken, and a packet traced. With colours, free of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "samples", Path(folder) / "samples")
        with (Path(folder) / "samples/office/flows.seg").open("a") as file:
            file.write(f"{EDIT}\n")
        commands = (
            "segc check samples/office",
            'segc trace samples/office --at "2026-11-24 09:30" vendor hr.payroll tcp/445',
        )
        sessions = [f"$ \x1b[1m{command}\x1b[0m\n{_run(command, folder)}" for command in commands]
    return f"$ \x1b[1mecho '{EDIT}' >> samples/office/flows.seg\x1b[0m\n" + "\n".join(sessions)


def _run(command: str, folder: str) -> str:
    words = command.replace(" samples", " --color always samples", 1).removeprefix("segc ")
    argv = f"{sys.executable} -m segc {words}"
    done = subprocess.run(argv, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    return re.sub(r"[0-9.]+ s\n", "0.1 s\n", done.stdout)


def svg(text: str) -> str:
    """The text of a terminal as SVG; SGR sequences for bold and colours are understood."""
    lines = text.splitlines()
    width = max(len(SEQUENCE.sub("", line)) for line in lines) * CHARACTER + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + (n + 1) * LINE - 5}">{"".join(_spans(line))}</text>'
        for n, line in enumerate(lines)
        if line
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" '
        f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">\n'
        "<style>text { font: 14px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; "
        "fill: #e6edf3; white-space: pre }</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def _spans(line: str) -> Iterator[str]:
    style = ""
    for number, piece in enumerate(SEQUENCE.split(line)):
        if number % 2:
            words = piece.split(";")
            style = ' font-weight="bold"' if "1" in words else ""
            style += "".join(f' fill="{COLORS[word]}"' for word in words if word in COLORS)
        elif piece:
            yield f"<tspan{style}>{escape(piece)}</tspan>" if style else escape(piece)


PICTURES = {"check.svg": check_and_trace}


if __name__ == "__main__":
    for name, session in PICTURES.items():
        (HERE / name).write_text(svg(session()))
