"""`python -m harness`: what can be compared, the equivalence check alone, and a report made again."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import options

if TYPE_CHECKING:
    from harness.run import Cell, Run

USAGE_ERROR = 2
FAILURES = ("refused", "crashed", "timed out", "failed", "broken")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 fine, 1 a certificate failed, 2 a wrong request."""
    parser = argparse.ArgumentParser(
        prog="python -m harness",
        description="Compare the same nets in several deep-learning frameworks. To time them: pytest --benchmark",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("list", help="show models and variants, and which can run here")
    command.set_defaults(run=list_cells)
    command = commands.add_parser("check", help="prove the implementations equal to the reference, without timing")
    options.add_to(command.add_argument)
    command.add_argument("--json", metavar="PATH", help="also write the certificates there, as a list of objects")
    command.set_defaults(run=check)
    command = commands.add_parser("report", help="make the HTML report again from a results.json")
    command.add_argument("results", metavar="RESULTS.json")
    command.add_argument("--output", metavar="PATH", help="default: index.html beside the results")
    command.set_defaults(run=report)
    values = parser.parse_args(arguments)
    try:
        return values.run(values)
    except options.OptionError as error:
        print(f"python -m harness {values.command}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def list_cells(_: argparse.Namespace) -> int:
    """Print a table of variants × models with the availability of each."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from impls import registry, specs

    table = Table("variant", "mode", "lane", *specs.MODELS, box=SIMPLE)
    reasons = []
    for entry in registry.find_variants():
        found = [registry.availability(model, entry) for model in specs.MODELS]
        reasons += [f"{entry.name}: {cell.reason}" for cell in found if cell.status == "not installed"][:1]
        name = f"{entry.name} *" if entry.variant.headline else entry.name
        table.add_row(name, entry.variant.mode, entry.variant.lane, *(cell.status for cell in found))
    console = Console(width=110)
    console.print(table)
    console.print("* headline: timed by every preset", highlight=False)
    for reason in reasons:
        console.print(reason, highlight=False)
    for folder, error in registry.backends().items():
        if isinstance(error, Exception):
            console.print(f"impls/{folder} is broken: {type(error).__name__}: {error}", highlight=False)
    return 0


def check(values: argparse.Namespace) -> int:
    """Certify, print a table, and return 1 if anything that is installed did not pass, or nothing is."""
    from harness.results import write_atomically
    from harness.run import Run
    from impls import registry

    settings = options.parse(values)
    if values.variants is None:
        # Here every one counts, whatever the preset times.
        settings |= {"variants": registry.find_variants(), "left_out": ()}
    if values.json is not None:
        options.check_writable(Path(values.json).parent)
    run = Run(**settings, command="")
    cells: dict[str, list[Cell]] = {}
    run.display.open()
    try:
        for model in run.models:
            cells[model] = run.check(model)
    finally:
        run.display.close()
        run.close()
        if values.json is not None:
            certificates = [certificate.as_dict() for certificate in run.certificates]
            write_atomically(Path(values.json), json.dumps(certificates, indent=1, allow_nan=False) + "\n")
    _print_certificates(run, cells)
    failed = any(cell.status in FAILURES for found in cells.values() for cell in found)
    return 1 if failed or not run.certificates else 0


def _print_certificates(run: "Run", cells: "dict[str, list[Cell]]") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "variant", "worst float64 error", "worst float32 error / limit", "verdict", box=SIMPLE)
    reasons = []
    for model, found in cells.items():
        for cell in found:
            mine = [c for c in run.certificates if (c.model, c.variant) == (model, cell.entry.name)]
            errors = [c.rel_error for c in mine if c.precision == "float64" and c.rel_error is not None]
            shares = [c.rel_error / c.limit for c in mine if c.precision == "float32" and c.rel_error is not None]
            verdict = "passed" if cell.status == "not timed" else cell.status
            table.add_row(
                model,
                cell.entry.name,
                f"{max(errors):.1e}" if errors else "",
                f"{max(shares):.2f}" if shares else "",
                verdict,
            )
            if cell.reason:
                reasons.append(f"{model} {cell.entry.name}: {cell.status}: {cell.reason}")
    console = Console(width=110)
    console.print(table)
    for reason in reasons:
        console.print(reason, highlight=False, markup=False)
    num_passed = sum(certificate.passed for certificate in run.certificates)
    console.print(f"{num_passed} of {len(run.certificates)} quantities passed in {run.display.elapsed_s:.0f} s")


def report(values: argparse.Namespace) -> int:
    """Render a result document again, byte for byte as the run did."""
    from harness import results
    from reports import render

    try:
        document = results.load(values.results)
    except results.ResultError as error:
        raise options.OptionError(str(error)) from error
    output = Path(values.output) if values.output else Path(values.results).with_name("index.html")
    options.check_writable(output.parent)
    results.write_atomically(output, render.render(document))
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
