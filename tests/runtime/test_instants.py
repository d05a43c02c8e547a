"""Instants: one reader, one policy."""

from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from pipelines.errors import WrongUsageError
from pipelines.runtime.instants import Instant, read_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01T12:00:00Z", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        (" 2024-05-01T12:00:00+02:00 ", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01 12:00:00.25-01:30", datetime(2024, 5, 1, 13, 30, 0, 250_000, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc(text, instant):
    assert read_instant(text) == instant
    assert read_instant(text).tzinfo is UTC


@pytest.mark.parametrize("naive", ["2024-05-01T12:00:00", "2024-05-01 12:00", datetime(2024, 5, 1, 12)])  # noqa: DTZ001
def test_a_time_without_a_zone_is_refused_and_told_how_to_write_it(naive):
    with pytest.raises(WrongUsageError, match=r"write 2024-05-01T12:00:00Z for UTC, or .*12:00:00\+02:00"):
        read_instant(naive)


@pytest.mark.parametrize("text", ["yesterday", "", "2024-13-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(WrongUsageError, match="expected an instant"):
        read_instant(text)


def test_a_command_refuses_a_time_without_a_zone_with_the_same_words():
    @click.command()
    @click.option("--at", type=Instant())
    def show(at: datetime) -> None:
        click.echo(at.isoformat())

    assert CliRunner().invoke(show, ["--at", "2024-05-01"]).output == "2024-05-01T00:00:00+00:00\n"
    refused = CliRunner().invoke(show, ["--at", "2024-05-01T12:00:00"])
    assert refused.exit_code == 2
    assert "write 2024-05-01T12:00:00Z for UTC" in refused.output
