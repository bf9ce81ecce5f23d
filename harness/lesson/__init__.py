"""The lesson: experiments on static and dynamic graphs, each a claim that people make, measured on this machine.

An experiment is one name, found in three rooms: `impls/BACKEND/experiments/NAME.py` has the framework's ways of
running (`WAYS`: functions by name, whose arguments and values the probe's file describes), `harness/lesson/NAME.py`
probes them (`probe(way)`, a function or a generator, see `ways.probe`), and `reports/lesson/NAME.py` judges what came
out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Experiment:
    """What the runner needs to know of an experiment.

    Attributes:
        name: of its files.
        expected_s: of all frameworks together on two cores, for the progress display alone.
        is_fresh: every way gets a process of its own. Else the ways of a framework share one, and take turns in it.
        shares_process: that process may have run other experiments that share theirs. It saves starting it, which takes
            as long as many an experiment; not for those that change settings, or count what the process did.
        timeout_s: for the ways that share a process.
    """

    name: str
    expected_s: float
    is_fresh: bool = False
    shares_process: bool = False
    timeout_s: float = 120


_ALL = (
    Experiment("per_op", expected_s=45, shares_process=True),
    Experiment("fusion", expected_s=35),
    Experiment("retrace", expected_s=10, shares_process=True),
    Experiment("loops", expected_s=50, shares_process=True),
    Experiment("ragged", expected_s=20, shares_process=True),
    Experiment("dynamic_depth", expected_s=60, shares_process=True, timeout_s=240),
    Experiment("buffers", expected_s=50, is_fresh=True),
    Experiment("asynchrony", expected_s=7, shares_process=True),
    Experiment("debugging", expected_s=20),
    Experiment("python_runs", expected_s=5, shares_process=True),
    Experiment("high_level", expected_s=12, shares_process=True),
    Experiment("export", expected_s=25, shares_process=True),
    Experiment("graphs", expected_s=30),
)

EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}
"""By name, in the order in which they run."""
