"""What a compiler makes of twenty operations on a vector that fits no cache."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Published, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework, split
from reports.lesson.verdicts import Verdict, decided, over
from reports.words import code

BYTES_PER_ELEMENT = 4


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("fusion")
    return Card(
        id="fusion",
        title="Twenty operations, one loop",
        claim="The compiler fuses operations.",
        who="the lecture notes; every compiler’s front page",
        question=(
            "Twenty operations on ten million numbers, one after the other. Each could read the vector from memory and "
            "write it back. How many trips does a graph save that is only recorded? How many one that is compiled?"
        ),
        rule=(
            "In a framework: a compiled way runs the 20 operations in fewer loops over memory, and takes less time "
            "than its fastest eager way, the intervals apart. It fails if there are as many loops, or if it is not "
            "faster. It holds if it does in every framework that decides, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "A processor multiplies far faster than memory delivers. An operation that stands alone reads 40 MB and "
            "writes 40 MB to do one sum for each element, so its time is that of the traffic. A compiler that sees the "
            "whole chain makes one loop of it: read an element, do 20 things to it, write it.",
            "A graph by itself does not do that. Its runtime may have a kernel for a frequent pattern, say a product "
            "with its bias and its ReLU; only a compiler that generates code can merge any operations. Whether it "
            "spreads the loop over the cores is another matter again.",
            "Page faults have another cause. A framework that gives the memory of each temporary back to the system "
            "gets the next one page by page, which can take longer than the traffic. A fused loop has no temporaries; "
            "but an eager framework that keeps its memory is spared most of those faults, too.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Time of one call on 10 million elements, with its interval, on a logarithmic axis. Beside it the "
                "loops over memory that the optimised program has, where they could be counted.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
        published=(
            Published(
                "2.27 times for inference and 1.41 times for training, geometric means of torch.compile over eager on "
                "an A100",
                "Ansel et al., PyTorch 2, ASPLOS 2024",
            ),
        ),
    )


def _seconds(one: Measurement) -> Estimate:
    return Estimate.of(one.values["seconds"])


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        compiled = [one for one in others if one.mode == "compiled"]
        if not eager or not compiled:
            continue
        slow, fast = (min(side, key=lambda one: _seconds(one).value) for side in (eager, compiled))
        kernels, num_ops = fast.values["num_kernels"], fast.values["num_ops"]
        times = _seconds(slow).over(_seconds(fast))
        is_fused = kernels is not None and kernels < num_ops
        is_not = kernels is not None and kernels >= num_ops
        found[framework] = decided(holds=is_fused and times.low > 1, fails=is_not or times.high < 1)
        loops = "an unknown number of loops" if kernels is None else numbers.count_text(kernels, "loop")
        form = "{}: {} makes {} of {} operations; {} takes {} times as long."
        told.append(Markup(form).format(framework, code(fast.way), loops, num_ops, code(slow.way), times))
    merely = [one for one in measured if one.mode == "graph" and one.values["num_kernels"] is not None]
    if merely:
        parts = ", ".join(f"{one.name} {one.values['num_kernels']}" for one in merely)
        told.append(Markup("Loops of the graphs that no compiler sees: {}.").format(parts))
    return over(found, told)


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    rows = []
    for one in measured:
        kernels = one.values["num_kernels"]
        loops = f", {numbers.count_text(kernels, 'loop')}" if kernels is not None else ""
        text = f"{numbers.time_text(_seconds(one).value)}{loops}"
        rows.append(plots.Row(one.framework, one.way, one.mode, (_seconds(one),), text))
    alt = f"Time of a call on 10 million elements: {'; '.join(f'{row.group} {row.label} {row.text}' for row in rows)}."
    return plots.dots(rows, "time of one call", alt)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        data, estimate = one.values, _seconds(one)
        once = 2 * BYTES_PER_ELEMENT * data["num_elements"] / estimate.value
        spread = numbers.time_interval_text(estimate.value, estimate.low, estimate.high, " – ")
        kernels = numbers.NOT_KNOWN if data["num_kernels"] is None else f"{data['num_kernels']:,}"
        faults = numbers.NOT_KNOWN if "num_page_faults" not in data else f"{data['num_page_faults']:,.0f}"
        time = numbers.time_text(estimate.value)
        figures = [time, spread, kernels, f"{once / 1e9:.2f}", faults, data["how_counted"]]
        rows.append((one.name, figures))
    columns = ("way", "time", "interval", "loops", "GB/s", "page faults", "how the loops were counted")
    return Table(
        "GB/s: as if the vector were read once and written once, which is the least", columns, rows, kind="text"
    )
