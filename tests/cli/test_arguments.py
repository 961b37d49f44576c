"""No command takes a key: arguments stand in histories and in lists of processes."""

from __future__ import annotations

import click
import pytest

from flask_byok.cli import byok_cli

#: Words for a key; the id of a master key is none.
WORDS = ("api_key", "master", "secret", "password", "token")


@pytest.mark.case("B21")
@pytest.mark.parametrize("name", sorted(byok_cli.commands))
def test_no_command_takes_a_key(name: str) -> None:
    """Neither as an argument, nor as an option, nor from a variable of its own."""
    command = byok_cli.commands[name]

    for parameter in command.params:
        spellings = " ".join([parameter.name or "", *parameter.opts]).lower()
        is_id = parameter.name == "key_id"

        assert is_id or "key" not in spellings.split("-"), spellings
        assert not [word for word in WORDS if word in spellings], spellings
        assert parameter.envvar is None
        assert not getattr(parameter, "hide_input", False)


@pytest.mark.case("B21")
def test_what_stands_for_a_company_is_no_key() -> None:
    """A command that is given one more word refuses it and does nothing."""
    context = click.Context(byok_cli)

    for name, command in byok_cli.commands.items():
        taken = sum(isinstance(each, click.Argument) for each in command.params)

        with pytest.raises(click.UsageError):
            command.make_context(name, ["OPENAI"] * (taken + 1), parent=context)
