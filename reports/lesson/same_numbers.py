"""One definition in several frameworks: which digits agree."""

from markupsafe import Markup

from reports import numbers, proof
from reports.canvas import Chart
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import NET, Lesson, Record
from reports.lesson.verdicts import HOLDS, NOT_MEASURED, NOT_REPRODUCED, ONLY, Verdict
from reports.sections import title
from reports.words import code


def card(lesson: Lesson) -> Card:
    """Return the card."""
    return Card(
        id="same_numbers",
        title="Same maths, same numbers?",
        claim="Same maths, same numbers.",
        who="whoever ports a model",
        question=(
            "Every program computes the same net from the same bytes. After all training steps, how many digits of the "
            "weights agree in float32: all, about seven, about three? And in float64?"
        ),
        rule=(
            "It holds if every variant’s numbers are the reference’s, bit for bit, in float32 too. It holds only up to "
            "rounding if they are not, but every certificate passed. It is not reproduced if a certificate failed."
        ),
        verdict=_verdict(lesson),
        explain=(
            "A sum of a thousand products depends on the order in which it is taken, and every library has its own: "
            "for the sake of vector units, threads, and fused multiply-adds. Each order rounds differently; none is "
            "wrong. Training then carries the differences along.",
            "That is why equality is proven twice here. In float64 the rounding is so small that another function "
            "would show; in float32, the precision that is timed, the limit is a multiple of the error that the "
            "reference makes itself. docs/equivalence.md has the details.",
        ),
        figures=(
            Figure(
                _chart(lesson),
                "Error against training step in float32, in units of the error that the NumPy reference makes itself. "
                "Above 8 a program is refused.",
            ),
        ),
        tables=tuple(table for table in (_table(lesson),) if table.rows),
    )


def _certificates(lesson: Lesson) -> list[Record]:
    return [entry for entry in lesson.block["certificates"] if entry["model"] == NET]


def _trajectories(lesson: Lesson) -> list[Record]:
    return [entry for entry in lesson.block["trajectories"] if entry["model"] == NET]


def _verdict(lesson: Lesson) -> Verdict:
    certificates = _certificates(lesson)
    if len({entry["variant"] for entry in certificates}) < 2:
        return Verdict(NOT_MEASURED, Markup("there are certificates of fewer than two variants"))
    failed = list(dict.fromkeys(entry["variant"] for entry in certificates if not entry["passed"]))
    told = tuple(_worst(certificates, precision) for precision in proof.PRECISIONS)
    told = tuple(sentence for sentence in told if sentence)
    if failed:
        return Verdict(NOT_REPRODUCED, told=(*told, Markup("Refused: {}.").format(", ".join(failed))))
    if all(entry["rel_error"] == 0 for entry in certificates):
        return Verdict(HOLDS, told=told)
    return Verdict(ONLY, Markup("up to rounding"), told)


def _worst(certificates: list[Record], precision: str) -> Markup:
    known = [one for one in certificates if one["precision"] == precision and one["rel_error"] is not None]
    if not known:
        return Markup("")
    worst = max(known, key=lambda entry: entry["rel_error"])
    exact = sum(entry["rel_error"] == 0 for entry in known)
    form = "In {} the largest relative error is {} ({} of {}); {} of {} quantities agree to the last bit."
    error = numbers.power_text(worst["rel_error"])
    return Markup(form).format(precision, error, code(worst["quantity"]), code(worst["variant"]), exact, len(known))


def _chart(lesson: Lesson) -> Chart | None:
    charts = [one["float32_chart"] for one in proof.tables(lesson.block) if one["title"] == title(NET)]
    return charts[0] if charts else None


def _table(lesson: Lesson) -> Table:
    rows = []
    for variant in dict.fromkeys(entry["variant"] for entry in _trajectories(lesson)):
        errors = {
            entry["precision"]: entry["state_error"][-1]
            for entry in _trajectories(lesson)
            if entry["variant"] == variant
        }
        steps = max(entry["steps"][-1] for entry in _trajectories(lesson) if entry["variant"] == variant)
        rows.append((variant, [str(steps), *(_digits(errors.get(precision)) for precision in ("float64", "float32"))]))
    columns = ("variant", "steps", "float64", "float32")
    return Table("Relative error of the worst parameter after the last step", columns, rows)


def _digits(error: float | None) -> str:
    return numbers.NOT_KNOWN if error is None else "0" if error == 0 else numbers.power_text(error)
