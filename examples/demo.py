"""The main job on real photographs: pictures in, Parquet out, a question asked of it. What ``make demo`` runs.

The photographs come with scikit-image (public domain or CC0) and scikit-learn (CC BY 2.0: china.jpg by danielbuechele,
flower.jpg by vultilion, both from Flickr). One file is cut short, to show what becomes of it: a row.
"""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import duckdb
import skimage
import sklearn.datasets
from PIL import Image
from rich.console import Console
from rich.panel import Panel

from twins.registry import network

ROOT = Path("demo")
PICTURES, PREDICTIONS = ROOT / "pictures", ROOT / "predictions"
MODEL = "alt_gvt_small"
SECONDS_TO_ANSWER = 5.0

SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.datasets.__file__).parent / "images"
PHOTOGRAPHS = (
    *(
        SKIMAGE / name
        for name in (
            "astronaut.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "coins.png",
            "hubble_deep_field.jpg",
            "moon.png",
            "motorcycle_left.png",
            "retina.jpg",
            "rocket.jpg",
        )
    ),
    *(SKLEARN / name for name in ("china.jpg", "flower.jpg")),
)

QUESTION = (
    "SELECT coalesce(split_part(label, ',', 1), error) AS class, count(*) AS images, round(max(score), 3) AS best"
    " FROM 'demo/predictions/data/*.parquet' GROUP BY class ORDER BY images DESC, best DESC"
)

console = Console()


def main() -> None:
    """Take the photographs, classify them, ask DuckDB."""
    shutil.rmtree(ROOT, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for photograph in PHOTOGRAPHS:
        Image.open(photograph).convert("RGB").save(PICTURES / f"{photograph.stem}.jpg", quality=92)
    (PICTURES / "cut-short.jpg").write_bytes((PICTURES / "coffee.jpg").read_bytes()[:20_000])
    console.print(f"{len(PHOTOGRAPHS)} photographs and one broken file in {PICTURES}/\n")

    run("run", "--model", MODEL, *weights(), "--max-failed", "1", str(PICTURES), str(PREDICTIONS))
    console.print(f"\nThe same, asked of DuckDB, which reads {PREDICTIONS}/data/*.parquet as it is:\n")
    ask(QUESTION)


def weights() -> list[str]:
    """The published weights where they can be reached, else random ones and a loud word about it."""
    url = network(MODEL).weights_url
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS_TO_ANSWER):  # noqa: S310 - a constant https address
            return []
    except OSError as error:
        reason = getattr(error, "reason", error)
        console.print(
            Panel(
                f"THE PUBLISHED WEIGHTS CANNOT BE REACHED FROM HERE ({reason}):\n{url}\n\n"
                "The network runs with RANDOM WEIGHTS, so every label below is MEANINGLESS.\n"
                "Everything else is real: pictures, network, engine, Parquet.",
                title="RANDOM WEIGHTS",
                style="bold red",
            )
        )
        return ["--weights", "random:0"]


def run(*arguments: str) -> None:
    """The command, as a person calls it."""
    console.print(f"$ twins {' '.join(arguments)}", style="bold", highlight=False)
    sys.stdout.flush()
    ended = subprocess.run([Path(sys.executable).parent / "twins", *arguments], check=False)
    if ended.returncode:
        sys.exit(ended.returncode)


def ask(query: str) -> None:
    """A question in SQL and its answer."""
    console.print(f'$ duckdb -c "{query}"', style="bold", highlight=False, soft_wrap=True)
    duckdb.sql(query).show()


if __name__ == "__main__":
    main()
