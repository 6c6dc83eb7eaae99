"""The recipes that come with the audit: each file of recipes/, with its variants, by name.

This module must not know what a recipe says.
"""

import tomllib
from collections.abc import Iterable
from importlib.resources import files

import finproxy
from harness.audit.reading import read_recipes
from harness.audit.recipe import Recipe
from harness.errors import UsageError


def known_recipes() -> dict[str, list[Recipe]]:
    """Name of the file to its subjects: the one it describes first, then its variants."""
    folder = files("harness.audit") / "recipes"
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda each: each.name
    )
    return {
        entry.name.removesuffix(".toml"): read_recipes(
            entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8"))
        )
        for entry in found
    }


def choose(names: Iterable[str]) -> tuple[list[Recipe], list[str]]:
    """The subjects of these names, and why others are left out.

    A recipe's name means it with all its variants, a variant's name only that; no name, all of them. What was
    asked for by name has to be installed, otherwise what is not is left out.

    Raises:
        UsageError: there is no recipe of a name, or what was named is not installed.

    """
    known = known_recipes()
    by_name = {recipe.name: [recipe] for group in known.values() for recipe in group} | known
    wanted = list(names)
    for name in wanted:
        if name not in by_name:
            hint = finproxy.did_you_mean(name, by_name)
            raise UsageError(f"expected a recipe ({', '.join(known)}), found {name!r}{hint}")
    chosen = list(dict.fromkeys(recipe.name for name in wanted or known for recipe in by_name[name]))
    recipes = [by_name[name][0] for name in chosen]
    left_out = [
        f"{each.name}: not installed: {', '.join(gone)}" for each in recipes if (gone := each.missing())
    ]
    if wanted and left_out:
        raise UsageError(f"{'; '.join(left_out)}; install it, or leave it out")
    return [recipe for recipe in recipes if not recipe.missing()], left_out
