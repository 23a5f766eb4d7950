"""``twins validate``: the API server's verdict, without one."""

from pathlib import Path
from typing import Annotated

import typer

from twins.errors import RequestError
from twins_cli import failure, terminal
from twins_cli.terminal import Format, Output
from twins_worker.exits import Exit


def validate(
    files: Annotated[list[Path], typer.Option("--file", "-f", help="YAML of TwinsJobs; - is standard input.")],
    replacing: Annotated[
        Path | None,
        typer.Option(help="The TwinsJob as it is now: judge the change as the API server judges an update."),
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Judge as `twins run` does, which takes file:// too.")] = False,
    output: Output = Format.text,
) -> None:
    """Says what a cluster would refuse, from the same definition, without a cluster.

    Ends with 0 if all is well and with 78 if not.

    Examples:

        twins validate -f job.yaml

        kubectl get twinsjob holiday -o yaml > now.yaml; twins validate -f changed.yaml --replacing now.yaml
    """
    from twins_cli import resource

    old = resource.only(resource.read(replacing), str(replacing)) if replacing else None
    judged = [
        (found.name, resource.problems(found, old=old, in_cluster=not here))
        for file in files
        for found in resource.read(file)
    ]
    _show(judged, output)
    if any(problems for _, problems in judged):
        raise typer.Exit(Exit.REQUEST_CANNOT_WORK)


def _show(judged: list[tuple[str, tuple[RequestError, ...]]], output: Format) -> None:
    if output is Format.json:
        terminal.tell_json([{"name": name, "problems": list(map(_json, problems))} for name, problems in judged])
        return
    for name, problems in judged:
        terminal.tell(f"{name}: {'good' if not problems else f'{len(problems)} to change'}")
        for problem in problems:
            terminal.tell(f"  {failure.sentence(problem)}")


def _json(problem: RequestError) -> dict[str, object]:
    return {"field": problem.field, "value": problem.value, "problem": problem.problem, "remedy": problem.remedy}
