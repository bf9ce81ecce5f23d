"""Where a refused program first goes its own way: the certificates, read in the order in which a net computes."""

from collections.abc import Iterable

from harness.certify import Certificate
from impls.specs import ModelSpec

USUAL_CAUSES = {
    "layer bn": "BatchNorm's epsilon, its variance (biased or corrected), batch or running statistics",
    "layer up": "a flipped kernel, input and output channels swapped, or dropout before it",
    "layer conv": "SAME for VALID padding, a kernel in another layout, a missing activation before it; after a pooling "
    "or a skip connection: the kind of pooling, the crop, the order of concatenation",
    "layer rnn": "padding that changes the state, a step too many or too few, a state that is not carried on, batch "
    "and time swapped, a missing tanh, transposed or other weights",
    "layer head": "its bias, or a missing activation before it",
    "layer dense": "transposed or other weights, other inputs, a missing activation before it",
    "forward": "running statistics, dropout left on, the activation after the last layer",
    "loss": "sum for mean, labels in another order, logits for probabilities",
    "grad": "a gradient stopped on the way, counted twice, or of another parameter",
    "slot": "another definition of the optimizer's state",
    "param": "the learning rate, epsilon, bias correction, weight decay, Nesterov's momentum",
    "statistic": "BatchNorm's momentum, its running variance (biased or corrected)",
    "later": "gradients not cleared, a rate that changes, momentum, batches in another order",
}


def explain(certificates: Iterable[Certificate], spec: ModelSpec) -> list[str]:
    """Return, a sentence each, what agrees and what differs first; empty if nothing failed.

    Args:
        certificates: of one variant of one net.
        spec: of that net.
    """
    certificates = list(certificates)
    culprit = first(certificates, spec)
    if culprit is None:
        return []
    mine = [certificate for certificate in certificates if certificate.precision == culprit.precision]
    lines = []
    if culprit.precision == "float32":
        lines.append("In float64 all that was compared agrees; the fault shows in float32 only.")
    agreeing = [
        c.quantity for c in sorted(mine, key=lambda c: _place(c, spec)) if _place(c, spec) < _place(culprit, spec)
    ]
    lines.append(_agreement(agreeing, spec))
    error = "" if culprit.rel_error is None else f"relative error {culprit.rel_error:.1e}, limit {culprit.limit:.1e}; "
    lines.append(f"The first that differs is {_words(culprit)}: {error}{culprit.detail}.")
    lines.append(f"Usual causes there: {USUAL_CAUSES[_cause(culprit, spec)]}.")
    return lines


def first(certificates: Iterable[Certificate], spec: ModelSpec) -> Certificate | None:
    """Return the failed certificate that comes first when a net computes; float64 goes before float32.

    Layers forward, the prediction, the loss, gradients backward, then training, step by step: slots, parameters,
    statistics, losses and predictions.
    """
    failed = [certificate for certificate in certificates if not certificate.passed]
    return min(failed, key=lambda c: (c.precision != "float64", _place(c, spec)), default=None)


def quantity_of(certificate: Certificate) -> str:
    """Return the one quantity that a certificate shows: that of its step, where it sums up a trajectory."""
    what, _, name = certificate.quantity.partition("/")
    return "/".join([f"{what.partition('@')[0]}@{certificate.step}", *([name] if name else [])])


def _place(certificate: Certificate, spec: ModelSpec) -> tuple[int, int, int]:
    """Return a sort key: (step, kind of quantity, position in the net)."""
    what, _, name = quantity_of(certificate).partition("/")
    kind, _, step = what.partition("@")
    params = [tensor.name for tensor in spec.params]
    if kind == "layer":
        return 0, 0, spec.layers.index(name) if name in spec.layers else 0
    if kind == "grad":
        return 0, 3, len(params) - (params.index(name) if name in params else 0)
    if kind == "state":
        order = [f"{slot}/{param}" for param in params for slot in spec.optimizer.slots]
        order += [*params, *(tensor.name for tensor in spec.statistics)]
        return int(step), 0, order.index(name) if name in order else len(order)
    return int(step), {"forward": 1, "loss": 2}[kind], 0


def _agreement(agreeing: list[str], spec: ModelSpec) -> str:
    """Sum up what comes before the first difference."""
    layers = [quantity for quantity in agreeing if quantity.startswith("layer@")]
    grads = [quantity for quantity in agreeing if quantity.startswith("grad@")]
    parts = []
    if len(layers) == len(spec.layers):
        parts.append(f"all {len(layers)} layers in train mode")
    elif layers:
        parts.append(f"the layers up to {layers[-1].partition('/')[2]}")
    parts += [
        name
        for quantity, name in (("forward@0", "the prediction in eval mode"), ("loss@0", "the first loss"))
        if quantity in agreeing
    ]
    if len(grads) == len(spec.params):
        parts.append(f"all {len(grads)} gradients")
    elif grads:
        parts.append(f"the gradients from the last layer down to that of {grads[-1].partition('/')[2]}")
    if not parts:
        return "Nothing agrees."
    return f"What agrees: {', '.join(parts)}."


def _words(certificate: Certificate) -> str:
    what, _, name = quantity_of(certificate).partition("/")
    kind, _, step = what.partition("@")
    when = "before training" if step == "0" else f"after training step {step}"
    return {
        "layer": f"layer {name}, in train mode",
        "grad": f"the gradient of {name}",
        "state": f"{name} {when}",
        "forward": f"the prediction in eval mode {when}",
        "loss": f"the loss {when}",
    }[kind]


def _cause(certificate: Certificate, spec: ModelSpec) -> str:
    what, _, name = quantity_of(certificate).partition("/")
    kind, _, step = what.partition("@")
    if kind == "layer":
        cause = "layer " + name.rpartition(".")[2].rstrip("0123456789")
        return cause if cause in USUAL_CAUSES else "layer dense"
    if int(step) > 1:
        return "later"
    if kind == "state":
        if "/" in name:
            return "slot"
        return "param" if name in {tensor.name for tensor in spec.params} else "statistic"
    return kind
