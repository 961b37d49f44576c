"""No command takes a key: arguments stand in histories and in lists of processes."""

from __future__ import annotations

import click
import click.testing
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


def test_the_list_of_commands_cuts_no_sentence_short() -> None:
    """On a terminal of 80 columns each command says in one line what it does."""
    shown = click.testing.CliRunner().invoke(byok_cli, ["--help"], terminal_width=80)

    lines = shown.output.partition("Commands:\n")[2].splitlines()

    assert [line.split()[0] for line in lines] == sorted(byok_cli.commands)
    assert [line for line in lines if line.endswith("...")] == []


def test_a_port_that_cannot_be_is_refused() -> None:
    """It is not taken for one that another program has."""
    arguments = ["simulator", "--port", "65536"]
    refused = click.testing.CliRunner().invoke(byok_cli, arguments)

    assert refused.exit_code == 2
    assert "65536 is not in the range 0<=x<=65535" in refused.output
