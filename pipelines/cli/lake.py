"""`aisle lake …`: take single events out of the lake."""

import click

from pipelines.runtime import finish


@click.group()
def lake() -> None:
    """Take single events out of the lake."""


@lake.command()
@click.option("--event-id", required=True, help="Id of the event, as column event_id has it.")
@click.option("--reason", required=True, help="Why; recorded with the event in table removed_events.")
@click.option("--source", help="Source of the event, where several sources use the id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def remove(event_id: str, reason: str, source: str | None, as_json: bool) -> None:
    """Take an event out for good: the next ingest leaves it out as well, unless its content changed."""
    from pipelines.lake import open_lake, remove_event
    from pipelines.settings import load_settings

    removed = remove_event(open_lake(load_settings()), event_id, reason, source)
    if as_json:
        finish({"ok": True, "removed": removed}, as_json=True)
        return
    for one in removed:
        finish({**one, "then": "run `aisle features build` again"}, as_json=False)
