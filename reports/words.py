"""The sentences: what was proven, what is missing, what a net is; computed from the document alone.

Every function returns markup that is safe to print; names from the document are escaped where they enter.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from reports import numbers
from reports.sections import PHASE_TITLES, Document, Section, sections, title

PHASE_WORDS = {"train_step": "a training step", "forward": "a forward pass"}
MOST_NAMES = 6
LONGEST_UNBROKEN = 24
STATUS_WORDS = {
    "refused": "refused by a certificate",
    "uncertified": "without a certificate",
    "crashed": "crashed",
    "timed out": "timed out",
    "failed": "failed with an error",
    "broken": "broken",
    "not timed": "not timed in this run",
    "not implemented": "not implemented",
    "not installed": "not installed",
}
KINDS = {
    "two_layer": "one hidden layer and no biases, max(x·w1, 0)·w2, trained with plain SGD on a sum of squares",
    "unet": (
        "an encoder and a decoder of valid 3×3 convolutions with BatchNorm and skip connections that turns an image "
        "into a mask, trained with SGD and momentum on binary cross-entropy"
    ),
    "autoencoder": (
        "a fully connected net that squeezes a noisy 28×28 image through a narrow code and returns it clean, trained "
        "with Adam on the mean squared error"
    ),
    "recurrent": (
        "a loop h ← tanh(x·w_x + h·w_h + b_h) over the first rows of a digit, more or fewer in each example, and then "
        "one guess at which digit it is, trained with SGD and momentum on binary cross-entropy"
    ),
}

PICTURED = {
    "autoencoder": "from digits that it was not trained on",
    "unet": "from the photograph that it was trained on",
}


def code(name: str) -> Markup:
    """Return a name as code, escaped."""
    form = '<code class="name">{}</code>' if len(name) <= LONGEST_UNBROKEN else "<code>{}</code>"
    return Markup(form).format(name)


def listed(items: Iterable[str], last: str = "and") -> Markup:
    """Return "a", "a and b", "a, b and c"; plain strings are escaped."""
    parts = list(items)
    if not parts:
        return Markup("")
    head = Markup(", ").join(parts[:-1])
    return Markup("{} {} {}").format(head, last, parts[-1]) if head else Markup("{}").format(parts[-1])


def names(variants: Sequence[str], last: str = "and") -> Markup:
    """Return variants as code, the first few by name and the rest by number."""
    if len(variants) <= MOST_NAMES:
        return listed(map(code, variants), last)
    rest = len(variants) - MOST_NAMES + 1
    return listed([*map(code, variants[: MOST_NAMES - 1]), f"{rest} more"], last)


def left_out(document: Document) -> Markup:
    """Name what has no bar, by status; the reasons stand with each net."""
    grouped: dict[str, dict[str, list[str]]] = {}
    found = sections(document)
    all_nets = {section.title for section in found}
    for section in found:
        for comparison in section.comparisons.values():
            for cell in comparison.cells:
                if not comparison.is_shown(cell):
                    where = grouped.setdefault(comparison.status(cell), {}).setdefault(cell["variant"], [])
                    if section.title not in where:
                        where.append(section.title)
    if not grouped:
        return Markup("Nothing was left out." if document["cells"] else "No net was tried.")
    parts = []
    for status in [status for status in STATUS_WORDS if status in grouped]:
        listing = [
            code(variant) if len(nets) == len(all_nets) > 1 else Markup("{} ({})").format(code(variant), listed(nets))
            for variant, nets in grouped[status].items()
        ]
        if len(listing) > MOST_NAMES:
            listing = [*listing[: MOST_NAMES - 1], Markup("{} more").format(len(listing) - MOST_NAMES + 1)]
        parts.append(Markup("{}, {}").format(listed(listing), STATUS_WORDS[status]))
    return Markup("Left out: {}. Each net’s section gives the reasons.").format(Markup("; ").join(parts))


def proven(document: Document) -> Markup:
    """Say what the certificates proved and what was left out."""
    certificates = document["certificates"]
    if not certificates:
        return Markup("No certificate was issued in this run, so no time may be shown. {}").format(left_out(document))
    pairs = {(entry["model"], entry["variant"]) for entry in certificates}
    failed = {(entry["model"], entry["variant"]) for entry in certificates if not entry["passed"]}
    first = Markup(
        "Before anything was timed, every variant was compared with a NumPy reference in float64: {} for {}; {}."
    ).format(
        numbers.count_text(len(certificates), "quantity", "quantities"),
        numbers.count_text(len(pairs), "pair of net and variant", "pairs of net and variant"),
        _verdicts(len(pairs), len(failed)),
    )
    return Markup(" ").join([first, _worst_float64(certificates), left_out(document)])


def _verdicts(num_pairs: int, num_failed: int) -> str:
    if num_failed == 0:
        return "it passed" if num_pairs == 1 else "all passed"
    passed = num_pairs - num_failed
    return f"{passed} passed, {num_failed} failed" if num_pairs > 1 else "it failed"


def _worst_float64(certificates: list[dict]) -> Markup:
    errors = [entry for entry in certificates if entry["precision"] == "float64" and entry["passed"]]
    errors = [entry for entry in errors if entry["rel_error"] is not None]
    if not errors:
        return Markup("No float64 certificate passed.")
    worst = max(errors, key=lambda entry: entry["rel_error"])
    form = "The worst float64 error among those that passed is {} ({} of {}, {}), where {} is allowed."
    return Markup(form).format(
        numbers.power_text(worst["rel_error"]),
        code(worst["quantity"]),
        code(worst["variant"]),
        title(worst["model"]),
        numbers.power_text(worst["limit"]),
    )


ARITHMETIC = {"fp32": "", "tf32": "products in TF32", "bf16": "products in bfloat16"}
"""What float32 programs compute with, by the run's precision, where that is not float32 throughout."""


def described(section: Section) -> Markup:
    """Say in one sentence what the net is, with its sizes."""
    kind = KINDS.get(section.model)
    groups = [comparison.group for comparison in section.comparisons.values() if comparison.group]
    text = Markup("{}: {}. ").format(section.title, kind) if kind else Markup("")
    text += Markup("Size {}, batches of {}, {}").format(
        code(section.size), f"{section.batch_size:,}", section.precision
    )
    if not groups:
        return text + Markup(".")
    work = [
        Markup("{} for {}").format(numbers.big_text(group["flops"], "FLOP"), PHASE_WORDS[group["phase"]])
        for group in groups
    ]
    params = numbers.count_text(groups[0]["num_params"], "trained parameter")
    return text + Markup(", {}; {}.").format(params, listed(work))


def missing(document: Document) -> list[Markup]:
    """List what an interrupted run did not get to, a net and phase at a time; not what its preset leaves out."""
    told = []
    finished = [(net["model"], net["size"]) for net in document["run"]["finished"]]
    for section in sections(document):
        if (section.model, section.size) in finished:
            continue
        for comparison in section.comparisons.values():
            waiting = [
                cell["variant"]
                for cell in comparison.cells
                if comparison.status(cell) == "not timed" and not (cell["reason"] or "").startswith("left to")
            ]
            where = Markup("{}, {}").format(section.title, PHASE_TITLES[comparison.phase].lower())
            if waiting:
                told.append(Markup("{}: no time for {}").format(where, names(waiting)))
            elif comparison.group and comparison.group["launches"][-1]["stopped_by"] == "interrupted":
                rounds = numbers.count_text(comparison.group["num_rounds"], "round")
                told.append(Markup("{}: stopped after {}").format(where, rounds))
    seen = {cell["model"] for cell in document["cells"]}
    told += [Markup("{}: not begun").format(title(model)) for model in document["run"]["models"] if model not in seen]
    return told


def picture_told(picture: dict) -> Markup:
    """Say whose net made a picture, after how much training, and how good it is."""
    steps = numbers.count_text(picture["num_steps"], "training step")
    source = f", {PICTURED[picture['model']]}" if picture["model"] in PICTURED else ""
    text = Markup("Made by {} after {}{}.").format(code(picture["variant"]), steps, source)
    metrics = dict(picture["metrics"])
    before, after = metrics.pop("psnr_noisy_db", None), metrics.pop("psnr_denoised_db", None)
    if before is not None and after is not None:
        change = "rises" if after > before else "does not rise"
        text += Markup(" The PSNR against the clean image {} from {} to {} (higher is better).").format(
            change, f"{before:.1f}\u00a0dB", f"{after:.1f}\u00a0dB"
        )
    for name, value in metrics.items():
        label = name.removesuffix("_db").replace("_", " ")
        amount = f"{value:.1f}\u00a0dB" if name.endswith("_db") else f"{value:.3g}"
        text += Markup(" {}: {}.").format(label[:1].upper() + label[1:], amount)
    return text
