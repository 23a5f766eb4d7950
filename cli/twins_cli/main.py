"""The command ``twins``."""

import os
import sys
import traceback
import warnings
from typing import NoReturn

import typer

from twins_cli import failure, terminal
from twins_cli.options import expanded
from twins_cli.verbs import (
    bench_latency,
    bench_throughput,
    evaluate,
    export,
    models,
    plan,
    predict,
    run,
    validate,
    weights,
)
from twins_worker.exits import Exit
from twins_worker.termination import ToldToStop, end

app = typer.Typer(
    name="twins",
    help="Batch image inference with the Twins networks: images in a place, Parquet at another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(expanded(run.run))
app.command()(expanded(predict.predict))
app.command()(expanded(validate.validate))
app.command()(expanded(plan.plan))
app.command()(expanded(models.models))
app.command()(expanded(weights.weights))
app.command()(expanded(export.export))
app.command("eval")(expanded(evaluate.evaluate))

bench = typer.Typer(help="How fast is it here?", no_args_is_help=True)
bench.command()(expanded(bench_latency.latency))
bench.command()(expanded(bench_throughput.throughput))
app.add_typer(bench, name="bench")


def main() -> NoReturn:
    """Run the command; ends the process with an exit code of ``exits.Exit``, 2 for wrong usage or 130 for Ctrl-C."""
    _keep_results_apart()
    end(_run())


def _run() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:  # noqa: BLE001 - the one place where an error becomes a sentence or a traceback
        return _told(error)
    except ToldToStop:
        return Exit.TOLD_TO_STOP
    return Exit.DONE


def _told(error: Exception) -> int:
    told = failure.verdict(error)
    if told is None:
        traceback.print_exception(error)
        return Exit.FAULT
    code, lines = told
    for line in lines:
        terminal.say(line)
    return code


def _keep_results_apart() -> None:
    """Native libraries write to descriptor 1 as they please: from here on that is standard error, results go past it.

    Paddle's advice to developers (ccache, static graphs) is not for who runs a job.
    """
    warnings.filterwarnings("ignore", module="paddle")
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="surrogateescape")
    os.dup2(2, 1)


if __name__ == "__main__":
    main()
