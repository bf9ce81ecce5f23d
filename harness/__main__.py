"""`python -m harness`: what can be compared, the equivalence check and its own check, the machine, and the report."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness import options

if TYPE_CHECKING:
    from harness.presets import Preset
    from harness.run import Cell

USAGE_ERROR = 2
FAILURES = ("refused", "crashed", "timed out", "failed", "broken")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 fine, 1 something was found, 2 a wrong request."""
    parser = argparse.ArgumentParser(
        prog="python -m harness",
        description="Compare the same nets in several deep-learning frameworks. To time them: pytest --benchmark",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("list", help="show models and variants, and which can run here")
    options.add_python_to(command.add_argument)
    command.set_defaults(run=list_cells)
    command = commands.add_parser("check", help="prove the implementations equal to the reference, without timing")
    options.add_to(command.add_argument)
    command.add_argument("--json", metavar="PATH", help="also write the certificates there, as a list of objects")
    command.add_argument(
        "--optimizers", metavar="O,…", help="also train with these, where a net can (default: the preset's)"
    )
    command.add_argument("--explain", action="store_true", help="say where a refused variant first differs")
    command.set_defaults(run=check)
    command = commands.add_parser("mutants", help="plant faults in the implementations, and see whether all are caught")
    options.add_to(command.add_argument)
    command.add_argument("--json", metavar="PATH", help="also write the verdicts there, as a list of objects")
    command.add_argument("--markdown", metavar="PATH", help="also write the table there")
    command.set_defaults(run=mutants)
    command = commands.add_parser("audit", help="run a lecture's two look-alike programs as printed, and certify them")
    options.add_python_to(command.add_argument)
    command.set_defaults(run=audit)
    command = commands.add_parser("conventions", help="show what the installed frameworks take for granted")
    options.add_python_to(command.add_argument)
    command.add_argument("--update", action="store_true", help="replace the snapshot that a test compares with")
    command.set_defaults(run=conventions)
    command = commands.add_parser("doctor", help="show what on this machine blurs the figures, and what helps")
    options.add_machine_to(command.add_argument)
    command.add_argument("--json", metavar="PATH", help="also write the findings there, as a list of objects")
    command.add_argument("--strict", action="store_true", help="exit with status 1 if there is a warning")
    command.set_defaults(run=doctor)
    command = commands.add_parser("compare", help="say what became of each ratio from one run to another")
    command.add_argument("old", metavar="OLD", help="results.json, or the folder of a run")
    command.add_argument("new", metavar="NEW", help="the same, of the later run")
    command.add_argument(
        "--fail-if",
        metavar="WHAT",
        action="append",
        default=[],
        help="exit with status 1 if any cell became slower:5%%, faster:5%%, refused, crashed or missing; repeatable",
    )
    command.add_argument("--allow-other-machine", action="store_true", help="even of different machines or threads")
    command.add_argument("--allow-other-sizes", action="store_true", help="even where a net has another size")
    command.add_argument("--json", metavar="PATH", help="also write the comparison there")
    command.add_argument("--html", metavar="PATH", help="also write it there as a page")
    command.set_defaults(run=compare)
    command = commands.add_parser(
        "selfcheck",
        help="measure how far the harness's own intervals and verdicts hold",
        epilog="Unless named, the net is two_layer, and the variants are the headline ones.",
    )
    options.add_to(command.add_argument)
    command.add_argument("--pairs", metavar="N", type=int, default=40, help="real A/A pairs at least (default: 40)")
    command.add_argument("--runs", metavar="N", type=int, default=400, help="simulated runs of a case (default: 400)")
    command.add_argument("--simulate-only", action="store_true", help="start no worker")
    command.add_argument("--json", metavar="PATH", help="also write all figures there")
    command.set_defaults(run=selfcheck, models="two_layer")
    command = commands.add_parser("gpu-trial", help="certify and time all that a GPU machine has, within minutes")
    options.add_to(command.add_argument)
    command.add_argument("--out", metavar="DIR", required=True, help="where the run goes, in a folder of its own")
    command.add_argument("--minutes", metavar="N", type=float, default=8.0, help="it ends by then (default: 8)")
    command.set_defaults(run=gpu_trial, preset="gpu", device="gpu")
    command = commands.add_parser("lesson", help="exercises on static and dynamic graphs: list, show, start, check")
    _add_exercises_to(command.add_subparsers(dest="action", required=True, metavar="ACTION"))
    command = commands.add_parser("report", help="make the HTML report again from a results.json")
    command.add_argument("results", metavar="RESULTS.json")
    command.add_argument("--output", metavar="PATH", help="default: index.html beside the results")
    command.set_defaults(run=report)
    command = commands.add_parser("index", help="make the page that leads to all runs, and compares them")
    command.add_argument("runs", metavar="DIR", nargs="?", default="reports/runs", help="default: %(default)s")
    command.set_defaults(run=make_index)
    values = parser.parse_args(arguments)
    try:
        return values.run(values)
    except options.OptionError as error:
        print(f"python -m harness {values.command}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _add_exercises_to(actions: Any) -> None:
    """Define the actions of `lesson`."""
    action = actions.add_parser("list", help="show the exercises")
    action.set_defaults(run=list_exercises)
    action = actions.add_parser("show", help="print what an exercise asks for")
    action.add_argument("number", metavar="N", type=int)
    action.add_argument("--hints", metavar="H", type=int, default=0, help="also print the first H hints")
    action.set_defaults(run=show_exercise)
    action = actions.add_parser("start", help="copy the file to start from")
    action.add_argument("number", metavar="N", type=int)
    action.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="default: this one")
    action.set_defaults(run=start_exercise)
    action = actions.add_parser("check", help="run your file, and say whether it does what is asked")
    action.add_argument("number", metavar="N", type=int)
    action.add_argument("file", metavar="FILE")
    action.set_defaults(run=check_exercise)


def list_cells(values: argparse.Namespace) -> int:
    """Print a table of variants × models with the availability of each."""
    from harness import tables

    tables.print_cells(options.all_variants(values))
    return 0


def check(values: argparse.Namespace) -> int:
    """Certify, print a table, and return 1 if anything that is installed did not pass, or nothing is."""
    from harness import tables
    from harness.run import Run
    from impls import specs

    settings = _settings_of_all_nets(values)
    if values.variants is None:
        # Here every one counts, whatever the preset times.
        settings |= {"variants": options.all_variants(values), "left_out": ()}
    optimizers = _optimizers(values.optimizers, settings["models"], settings["preset"])
    write_json = _json_writer(values.json)
    run = Run(**settings, command="", is_smoke_test=True)
    cells: dict[tuple[str, str], list[Cell]] = {}
    run.display.open()
    try:
        for model in run.models:
            own = specs.get(model).optimizer.name
            for optimizer in (own, *optimizers[model]):
                cells[model, optimizer] = run.check(model, None if optimizer == own else optimizer)
    finally:
        run.display.close()
        run.close()
        write_json([certificate.as_dict() for certificate in run.certificates])
    tables.print_certificates(run.certificates, cells, values.explain)
    num_passed = sum(certificate.passed for certificate in run.certificates)
    print(f"{num_passed} of {len(run.certificates)} quantities passed in {run.display.elapsed_s:.0f} s")
    failed = any(cell.status in FAILURES for found in cells.values() for cell in found)
    return 1 if failed or not run.certificates else 0


def mutants(values: argparse.Namespace) -> int:
    """Plant faults, print who was caught where, and return 1 if one was not caught where it was planted."""
    from harness import mutation, tables
    from harness.results import write_atomically

    settings = _settings_of_all_nets(values)
    if values.markdown is not None:
        options.check_writable(Path(values.markdown).parent)
    entries = settings["variants"] if values.variants else mutation.default_variants(options.all_variants(values))
    write_json = _json_writer(values.json)
    verdicts = []
    try:
        for verdict in mutation.run(entries, settings["models"]):
            verdicts.append(verdict)
            print(f"{verdict.variant} {verdict.model} {verdict.fault}: {verdict.outcome}", file=sys.stderr)
    finally:
        write_json([verdict.as_dict() for verdict in verdicts])
    tables.print_mutants(verdicts)
    if values.markdown is not None:
        write_atomically(Path(values.markdown), tables.mutants_markdown(verdicts))
    num = {outcome: sum(verdict.outcome == outcome for verdict in verdicts) for outcome in get_args(mutation.Outcome)}
    print(", ".join(f"{number} {outcome}" for outcome, number in num.items()))
    return 0 if num["caught"] and num["caught"] + num["inexpressible"] == len(verdicts) else 1


def audit(values: argparse.Namespace) -> int:
    """Print the losses of the lecture's programs, and what their certificates say."""
    from harness import audit

    try:
        print(audit.describe(audit.audit(options.all_variants(values))))
    except ModuleNotFoundError as error:
        raise options.OptionError(str(error)) from error
    return 0


def conventions(values: argparse.Namespace) -> int:
    """Print what the installed frameworks take for granted; return 1 if it differs from the committed snapshot."""
    from harness import conventions, tables

    answers, versions = conventions.read(options.all_variants(values))
    tables.print_conventions(conventions.rows(answers))
    if values.update:
        conventions.save_snapshot(answers, versions)
        print(f"saved to {conventions.SNAPSHOT}")
        return 0
    changes = conventions.differences(conventions.load_snapshot()["conventions"], answers)
    for line in changes:
        print(f"changed: {line}")
    return 1 if changes else 0


def doctor(values: argparse.Namespace) -> int:
    """Print what blurs the figures on this machine; return 1 with `--strict` if anything does."""
    from harness import doctor, tables

    settings = options.machine(values)
    write_json = _json_writer(values.json)
    findings = doctor.examine(**settings, variants=options.all_variants(values))
    write_json([finding.as_dict() for finding in findings])
    tables.print_findings(findings)
    return 1 if values.strict and any(finding.status == "warning" for finding in findings) else 0


def selfcheck(values: argparse.Namespace) -> int:
    """Print how often intervals and verdicts are right, simulated and with real twins; return 1 if no twin ran."""
    from harness import results, selfcheck
    from harness.progress import Display

    if min(values.runs, values.pairs) < 1:
        raise options.OptionError("--runs and --pairs: give whole numbers, 1 or more")
    settings = options.parse(values)
    if settings.pop("precision") != "fp32":
        raise options.OptionError("--precision: the twins are measured in fp32; leave it out")
    if values.variants is None:
        settings["variants"] = [entry for entry in settings["variants"] if entry.variant.headline]
    if values.json is not None:
        options.check_writable(Path(values.json).parent)
    check = selfcheck.Selfcheck(values.runs, 0 if values.simulate_only else values.pairs, **settings)
    display = Display()
    try:
        check.run(display)
    finally:
        display.close()
        if values.json is not None:
            results.write_atomically(Path(values.json), results.dumps(check.as_dict()))
    check.print()
    return 0 if check.pairs or values.simulate_only else 1


def gpu_trial(values: argparse.Namespace) -> int:
    """Run one benchmark within a time, and print a short table last; return 1 if anything was refused."""
    from harness import tables, trial

    options.parse(values)  # a bad value is told at once
    if values.minutes < trial.LEAST_MINUTES:
        raise options.OptionError(f"--minutes {values.minutes:g}: give {trial.LEAST_MINUTES:g} or more")
    out = Path(values.out)
    options.check_writable(out)
    chosen = {name: getattr(values, name, None) for name in options.DEFAULTS}
    given = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
    status, document = trial.run(out, values.minutes, given)
    if document is None:
        print(f"nothing was measured in {values.minutes:g} minutes", file=sys.stderr)
        return 1
    tables.print_steps(document["likeforlike"])
    print(out / "latest")
    return status


def _settings_of_all_nets(values: argparse.Namespace) -> dict[str, Any]:
    """Return `options.parse`, with all nets where none is named, whatever the preset times."""
    settings = options.parse(values)
    return settings if options.names(values.models) else settings | {"models": list(settings["preset"].sizes)}


def list_exercises(_: argparse.Namespace) -> int:
    """Print a line per exercise."""
    from harness.lesson import exercises

    for exercise in exercises.exercises():
        print(f"{exercise.number}  {exercise.title} ({', '.join(exercise.requires) or 'no framework'})")
    return 0


def show_exercise(values: argparse.Namespace) -> int:
    """Print an exercise's statement, and hints if asked for."""
    from harness.lesson import exercises

    exercise = exercises.find(values.number)
    hints = [f"Hint {number}: {hint}" for number, hint in enumerate(exercise.hints[: values.hints], 1)]
    print("\n\n".join([f"{exercise.number}. {exercise.title}", exercise.statement, *hints]))
    return 0


def start_exercise(values: argparse.Namespace) -> int:
    """Copy an exercise's file, and print where to."""
    from harness.lesson import exercises

    copy = exercises.start(values.number, Path(values.folder))
    print(f"{copy}\nChange it, then: python -m harness lesson check {values.number} {copy}")
    return 0


def check_exercise(values: argparse.Namespace) -> int:
    """Run a student's file; return 1 if it does not do what is asked."""
    from harness.lesson import exercises

    verdict = exercises.check(values.number, Path(values.file))
    print(f"{'solved' if verdict.passed else 'not yet'}: {verdict.words}")
    return 0 if verdict.passed else 1


def _optimizers(names: str | None, models: list[str], preset: "Preset") -> dict[str, tuple[str, ...]]:
    """Return the optimizers to certify each net with, besides its own: those that are asked for, or the preset's."""
    from impls import specs

    wanted = options.names(names)
    for name in wanted or ():
        if name not in specs.OPTIMIZERS:
            raise options.OptionError(f"unknown optimizer {name!r}; choose from {', '.join(specs.OPTIMIZERS)}")
    found: dict[str, tuple[str, ...]] = {}
    for model in models:
        chosen = preset.optimizers.get(model, ()) if wanted is None else wanted
        found[model] = tuple(name for name in specs.optimizers(model)[1:] if name in chosen)
    return found


def _json_writer(path: str | None) -> Callable[[list[dict[str, Any]]], None]:
    """Return what writes a list of objects to `path` (None: nowhere); that it can be written is checked at once."""
    from harness.results import write_atomically

    if path is None:
        return lambda _: None
    options.check_writable(Path(path).parent)
    return lambda objects: write_atomically(Path(path), json.dumps(objects, indent=1, allow_nan=False) + "\n")


def compare(values: argparse.Namespace) -> int:
    """Print what became of each ratio; return 1 if a cell meets a condition of `--fail-if`."""
    from dataclasses import asdict

    from harness import compare, results, tables

    conditions = [compare.parse_condition(text) for text in values.fail_if]
    for path in filter(None, (values.json, values.html)):
        options.check_writable(Path(path).parent)
    allowed = {"allow_other_machine": values.allow_other_machine, "allow_other_sizes": values.allow_other_sizes}
    comparison = compare.compare(compare.load(values.old), compare.load(values.new), conditions, **allowed)
    if values.json is not None:
        results.write_atomically(Path(values.json), results.dumps(asdict(comparison)))
    if values.html is not None:
        from reports.comparison import render

        results.write_atomically(Path(values.html), render(asdict(comparison)))
    tables.print_comparison(comparison)
    return 1 if comparison.failures else 0


def report(values: argparse.Namespace) -> int:
    """Render a result document again, byte for byte as the run did; its lesson's page beside it, if it has one."""
    from harness import results, summary
    from reports import render

    try:
        document = results.load(values.results)
    except results.ResultError as error:
        raise options.OptionError(str(error)) from error
    output = Path(values.output) if values.output else Path(values.results).with_name("index.html")
    options.check_writable(output.parent)
    results.write_atomically(output, render.render(document))
    print(output)
    if (lesson := summary.write_lesson(document, output.parent)) is not None:
        print(lesson)
    return 0


def make_index(values: argparse.Namespace) -> int:
    """Write the index of all runs, with a page for every two that follow each other on one machine."""
    from harness import index

    if not Path(values.runs).is_dir():
        raise options.OptionError(f"{values.runs} is no folder; runs are made with: pytest --benchmark")
    options.check_writable(Path(values.runs))
    print(index.write(Path(values.runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
