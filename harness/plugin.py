"""The pytest plugin behind `pytest --benchmark`: options, one test per cell, results and report at the end.

The first test of a net measures all its cells in interleaved rounds; every test then replays the samples of its own
cell into pytest-benchmark through its public timer, so that all `--benchmark-*` options work on them.
"""

import contextlib
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from harness import options, places, results, resume, summary
from harness.folders import InUseError, RunFolder
from harness.lesson.runner import Lesson
from harness.progress import Display
from harness.replay import ReplayClock
from harness.run import Run
from impls import registry

RUN = pytest.StashKey[Run]()
FOLDER = pytest.StashKey[RunFolder]()
ARTEFACTS = pytest.StashKey["list[str]"]()
CLOCK = ReplayClock()
LIKE_CTRL_C = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a run as Ctrl-C does, unless they are ignored (nohup): what was measured is kept."""
Param = tuple[str, str, str]  # phase, variant, sweep value: plain values, since pytest-benchmark writes them down


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest --benchmark`."""
    group = parser.getgroup("likeforlike", "compare deep-learning frameworks")
    group.addoption("--benchmark", action="store_true", help="certify and time the nets, and write the report")
    options.add_to(group.addoption)
    group.addoption(
        "--sweep", metavar="SIZE=V,…", help="time every net at several sizes: batch=1,4,16 or width=8,16,32"
    )
    group.addoption("--resume", metavar="RUN", help="go on with a run that was stopped: its name, or its folder")
    group.addoption(
        "--report-dir", metavar="DIR", default="reports/runs", help="where runs go; with the = (default: %(default)s)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check all options before anything starts, and set pytest-benchmark's before it reads them."""
    config.addinivalue_line("markers", "compares(model): the test times this net, one cell per test")
    config.addinivalue_line("markers", "measures_the_harness: only in the preset `full`, or when its file is named")
    config.addinivalue_line("markers", "teaches: only in the preset `lesson`")
    # A cell without times skips or fails for its own reason, and an experiment of the lesson has no single time.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used at all")
    if not config.getoption("benchmark"):
        _refuse_alone(config)
        return
    _refuse_together(config)
    try:
        config.stash[RUN], folder = _started(config)
    except (options.OptionError, InUseError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[ARTEFACTS] = []
    if folder is not None:
        config.stash[FOLDER] = folder
        config.add_cleanup(folder.release)
        config.option.benchmark_only = True
    for number in LIKE_CTRL_C:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
            config.add_cleanup(partial(_forget, number))
    config.pluginmanager.unregister(name="hypothesispytest")  # it would import Hypothesis for nothing, which takes 2 s
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(config.rootpath / "benchmarks")]


def _forget(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)


def _started(config: pytest.Config) -> tuple[Run, RunFolder | None]:
    """Return the run that the options ask for, and its folder; a smoke test has none."""
    parent = Path(config.getoption("report_dir"))
    earlier = config.getoption("resume")
    if earlier is not None:
        path, block = resume.load(earlier, parent)
        resume.adopt(config.option, block)
    settings = options.parse(config.option)
    sweep = options.parse_sweep(config.getoption("sweep"))
    options.check_writable(parent)
    run = Run(
        **settings,
        sweep=sweep,
        command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        requested={name: config.getoption(name) for name in options.DEFAULTS},
        display=Display(),
        is_smoke_test=config.getoption("benchmark_disable"),
    )
    if earlier is not None:
        resume.require_same(block, run.environment)
        run.take_over(block)
        if run.is_complete:
            raise options.OptionError(f"--resume {earlier}: it is complete; there is nothing left to measure")
        return run, RunFolder(path)
    if run.is_smoke_test:
        return run, None
    folder = RunFolder.make(parent, run.id)
    run.id = folder.path.name
    return run, folder


def _refuse_alone(config: pytest.Config) -> None:
    """Refuse an option that does nothing without `--benchmark`: whoever gives it did not mean to run the tests."""
    for name, default in {**options.DEFAULTS, "resume": None}.items():
        if config.getoption(name) != default:
            raise pytest.UsageError(f"--{name} says what to time; add --benchmark")


def _refuse_together(config: pytest.Config) -> None:
    for option, reason in {
        "numprocesses": "-n (pytest-xdist): nothing can be timed while other tests run beside it",
        "benchmark_skip": "--benchmark-skip: it would skip everything",
        "benchmark_cprofile": "--benchmark-cprofile: the samples were taken in other processes",
    }.items():
        if config.getoption(option, None):
            raise pytest.UsageError(f"--benchmark cannot go together with {reason}; leave one of them out")


# ---------------------------------------------------------------- collection


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test per phase and variant of the net that a benchmark compares."""
    if "harness_cost" in metafunc.fixturenames:
        _generate_costs(metafunc)
    if "cell" not in metafunc.fixturenames:
        return
    run = metafunc.config.stash.get(RUN, None)
    if run is None:
        off = pytest.param(None, marks=pytest.mark.skip("add --benchmark to time it"), id="off")
        metafunc.parametrize("cell", [off], indirect=True)
        return
    phases = run.preset.phases if _model(metafunc.definition) in run.models else ()
    # By size first: all cells of one size are measured together.
    params = [
        pytest.param((phase, entry.name, point), id="-".join(filter(None, (phase, entry.name, point))))
        for point in (run.sweep.points if run.sweep else [""])
        for phase in phases
        for entry in run.variants
    ]
    metafunc.parametrize("cell", params, indirect=True)


def _generate_costs(metafunc: pytest.Metafunc) -> None:
    """Make a test for the harness's side, and one for the bare loop's, of each headline variant that has a loop."""
    run = metafunc.config.stash.get(RUN, None)
    if run is None:
        off = pytest.param(None, None, marks=pytest.mark.skip("add --benchmark to time it"), id="off")
        metafunc.parametrize(("harness_cost", "side"), [off], indirect=["harness_cost"])
        return
    headline = [entry for entry in run.variants if entry.variant.headline and not places.is_elsewhere(entry)]
    entries = [entry for entry in headline if registry.offers(entry, "bare_loop")]
    params = []
    for entry in entries:
        mark = pytest.mark.benchmark(group=f"harness cost, {entry.name}", timer=CLOCK)
        params += [
            pytest.param(entry.name, side, id=f"{entry.name}-{side}", marks=mark) for side in ("bare", "harness")
        ]
    metafunc.parametrize(("harness_cost", "side"), params, indirect=["harness_cost"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each cell its place in pytest-benchmark's table; drop the nets that were not asked for."""
    run = config.stash.get(RUN, None)
    if run is None:
        return
    named = {Path(argument.partition("::")[0]).resolve() for argument in config.args}
    unwanted = [
        item
        for item in items
        if (item.get_closest_marker("compares") and _model(item) not in run.models)
        or (item.get_closest_marker("teaches") and run.lesson is None)
        or (_is_left_out(item.get_closest_marker("measures_the_harness"), run.preset.name) and item.path not in named)
    ]
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("compares") and item not in unwanted:
            phase, _, point = _param(item)
            group = " ".join(filter(None, (_model(item), phase, point)))
            item.add_marker(pytest.mark.benchmark(group=group, timer=CLOCK))
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]
    items.sort(key=partial(_place, run))


def _place(run: Run, item: pytest.Item) -> int:
    """Return a test's place: the nets in their order, small to large, then the lesson; all else comes first."""
    if item.get_closest_marker("teaches"):
        return len(run.models)
    return run.models.index(_model(item)) if item.get_closest_marker("compares") else -1


def _is_left_out(marker: pytest.Mark | None, preset: str) -> bool:
    """Tell of a measurement of the harness whether a run that does not name its file does without it."""
    return marker is not None and (preset != "full" or marker.kwargs.get("only_by_name", False))


def _model(item: Any) -> str:
    marker = item.get_closest_marker("compares")
    if marker is None or len(marker.args) != 1:
        raise pytest.UsageError(f'{item.nodeid} uses "cell" without @pytest.mark.compares(MODEL)')
    return marker.args[0]


def _param(item: pytest.Function) -> Param:
    return cast(Param, item.callspec.params["cell"])


# ---------------------------------------------------------------- one test


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Param:
    """The (phase, variant) that a benchmark is about."""
    return request.param


@pytest.fixture
def replay(request: pytest.FixtureRequest, cell: Param, benchmark: Any) -> Callable[[], None]:
    """Measure the net unless that was done, and return what replays this cell into pytest-benchmark."""
    config = request.config
    run = config.stash[RUN]
    phase, variant, point = cell
    model = _model(request.node)
    size = run.size(model, point)
    if (model, size) not in {(record["model"], record["size"]) for record in run.cells}:
        _measure(request.session, run, model, point)
    place = (model, size, phase, variant)
    found = (cell for cell in run.cells if (cell["model"], cell["size"], cell["phase"], cell["variant"]) == place)
    record = next(found, None)
    if record is None:
        pytest.skip("the run that was resumed did not select it")
    if record["status"] in ("not installed", "not implemented") or (model, variant) in run.left_out:
        pytest.skip(f"{record['status']}: {record['reason']}")
    if record["status"] == "not timed" and run.is_smoke_test:
        return lambda: benchmark(lambda: None)
    if record["status"] != "timed":
        pytest.fail(f"{record['status']}: {record['reason']}", pytrace=False)
    CLOCK.load(record["rounds_s"], record["num_iterations"])
    return lambda: CLOCK.replay_into(benchmark)


@pytest.fixture
def harness_cost(request: pytest.FixtureRequest) -> Any:
    """What the harness costs a variant's two-layer step, measured when it is first asked for."""
    run = request.config.stash[RUN]
    with _displayed(request.config, run):
        return run.harness_cost(request.param)


@pytest.fixture
def against(request: pytest.FixtureRequest) -> Callable[[str, str, str], Any]:
    """Return what measures a variant's training step of a net against a loop of its backend."""
    run = request.config.stash.get(RUN, None)
    if run is None:
        pytest.skip("add --benchmark to time it")

    def measure(variant: str, model: str, loop: str) -> Any:
        entry = next((entry for entry in run.variants if entry.name == variant), None)
        if entry is None or places.is_elsewhere(entry) or not registry.offers(entry, loop.partition(".")[0]):
            pytest.skip(f"{variant} is not among the variants, or cannot run here")
        with _displayed(request.config, run):
            return run.against(variant, model, loop)

    return measure


@pytest.fixture
def lesson(request: pytest.FixtureRequest, benchmark: Any) -> AbstractContextManager[Lesson]:  # noqa: ARG001
    """The lesson of the run, in a context that shows what it does and keeps what it finds.

    A run leaves out every test without pytest-benchmark's own fixture, so that stands among the arguments.
    """
    run = request.config.stash.get(RUN, None)
    if run is None or run.lesson is None:
        pytest.skip("add --benchmark --preset lesson to measure it")
    return _taught(request.config, run, run.lesson)


@contextlib.contextmanager
def _taught(config: pytest.Config, run: Run, lesson: Lesson) -> Iterator[Lesson]:
    with _displayed(config, run):
        try:
            yield lesson
        except KeyboardInterrupt:
            run.interrupted = True
            raise
    if FOLDER in config.stash:
        _keep(run, config.stash[FOLDER])


@contextlib.contextmanager
def _displayed(config: pytest.Config, run: Run) -> Iterator[None]:
    """Show the run's progress, which pytest must not capture."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        run.display.open()
        try:
            yield
        finally:
            run.display.close()


@pytest.fixture
def replay_rounds(benchmark: Any) -> Callable[[list[list[float]], int], None]:
    """Return what replays rounds (seconds per step) that were blocks of so many steps into pytest-benchmark."""

    def replay(rounds_s: list[list[float]], num_iterations: int) -> None:
        CLOCK.load(rounds_s, num_iterations)
        CLOCK.replay_into(benchmark)

    return replay


def _measure(session: pytest.Session, run: Run, model: str, point: str) -> None:
    """Measure those variants of a net, at one point of the sweep, whose tests were selected (`-k`, node ids)."""
    selected = {
        _param(item)[1]
        for item in session.items
        if isinstance(item, pytest.Function)
        and item.get_closest_marker("compares")
        and _model(item) == model
        and _param(item)[2] == point
    }
    with _displayed(session.config, run):
        run.measure(model, [entry for entry in run.variants if entry.name in selected], run.changes(model, point))
    if FOLDER in session.config.stash:
        _keep(run, session.config.stash[FOLDER])


def _keep(run: Run, folder: RunFolder) -> None:
    """Write down what was measured so far, and note who else measures here."""
    _note_others(run, folder)
    try:
        folder.keep(run.block(is_going_on=True))
    except OSError as error:
        run.warn(f"could not keep what was measured so far ({error.strerror}): a killed run could not be resumed")


def _note_others(run: Run, folder: RunFolder) -> None:
    for other in sorted(folder.others()):
        run.warn(f"the run {other} went on at the same time: both are slower for it, and not evenly")


# ---------------------------------------------------------------- the end


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Drop the momentary clock rate: with it every comparison would warn of another machine."""
    for key in [key for key in machine_info.get("cpu", {}) if key.startswith("hz_actual")]:
        del machine_info["cpu"][key]


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add the block `likeforlike`. Called once for `--benchmark-json` and again for `--benchmark-save`."""
    run = config.stash.get(RUN, None)
    if run is not None:
        output_json["likeforlike"] = run.block()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the result document and the report, also after Ctrl-C."""
    run = session.config.stash.get(RUN, None)
    if run is None:
        return
    with _undisturbed():
        run.close()
        if run.has_results and not run.is_smoke_test:
            _write(session, run)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C stop what is being written."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, *LIKE_CTRL_C)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _write(session: pytest.Session, run: Run) -> None:
    """Write both into the run's folder, or else into a temporary one."""
    from reports import render

    lines = session.config.stash[ARTEFACTS]
    folder = session.config.stash[FOLDER]
    _note_others(run, folder)
    document = _document(session.config)
    try:
        lines += summary.write(document, folder.path, render.render)
    except OSError as error:
        lines.append(f"could not write to {folder.path} ({error.strerror}); kept instead:")
        try:
            temporary = Path(tempfile.mkdtemp(prefix="likeforlike-")) / run.id
            lines += summary.write(document, temporary, render.render)
        except OSError as second_error:
            lines[-1] = f"could not write to {folder.path} ({error.strerror}), nor elsewhere ({second_error})"
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
    else:
        lines.append(_index(folder.path.parent))
    if run.interrupted:
        lines.append(f"go on:   pytest --benchmark --resume {run.id}")


def _index(runs: Path) -> str:
    """Renew the index of the runs; return a line that says where it is."""
    from harness import index

    try:
        return f"index:   {index.write(runs, only_latest=True)}"
    except OSError as error:
        return f"could not write the index of {runs} ({error.strerror})"


def _document(config: pytest.Config) -> dict[str, Any]:
    """Return the whole result document, made by pytest-benchmark's own hooks."""
    benchmarks = config._benchmarksession  # type: ignore[attr-defined]  # it has no public name
    commit_info = config.hook.pytest_benchmark_generate_commit_info(config=config)
    document = config.hook.pytest_benchmark_generate_json(
        config=config,
        benchmarks=benchmarks.benchmarks,
        include_data=True,
        machine_info=benchmarks.get_machine_info(),
        commit_info=commit_info,
    )
    config.hook.pytest_benchmark_update_json(config=config, benchmarks=benchmarks.benchmarks, output_json=document)
    results.validate(document)
    return document


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say where the results go, before anything can go wrong."""
    if FOLDER not in config.stash:
        return []
    folder = config.stash[FOLDER].path
    return [f"results: {folder} (if the run is cut off, go on with: pytest --benchmark --resume {folder.name})"]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the headline table and where the report is."""
    run = config.stash.get(RUN, None)
    if run is None or not (run.has_results or run.costs):
        return
    terminalreporter.section("like for like")
    table = summary.headline(run.block()) if run.has_results else ()
    for line in (*summary.costs(run.costs), *table, *config.stash[ARTEFACTS]):
        terminalreporter.write_line(line)
