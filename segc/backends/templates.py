"""The templates of the backends: they place tokens and never decide, and a missing token is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded only where a policy has a switch
    from jinja2 import Template


@cache
def template(package: str, name: str) -> Template:
    """The template `name` in the `templates` folder of a backend's package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name)
