"""Where a refused program first differs, told from its certificates."""

from typing import Any

import pytest

from harness import divergence
from harness.certify import Certificate
from impls import specs

UNET = specs.get("unet", "tiny")


def certificates(spec: specs.ModelSpec, *failing: str, precision: str = "float64", step: int = 1) -> list[Certificate]:
    """All certificates of a net in one precision, of which some failed (at `step`, if they sum up a trajectory)."""
    names = [tensor.name for tensor in spec.params]
    states = [*names, *(tensor.name for tensor in spec.statistics)]
    states += [f"{slot}/{name}" for slot in spec.optimizer.slots for name in names]
    quantities = [f"layer@0/{layer}" for layer in spec.layers] + ["forward@0", "loss@0"]
    quantities += [f"grad@0/{name}" for name in names] + [f"state@1..3/{name}" for name in states]
    quantities += ["loss@1..2", "forward@1", "forward@3"]
    assert set(failing) <= set(quantities)
    found = []
    for quantity in quantities:
        fails = quantity in failing
        at = {"forward@3": 3}.get(quantity, step if ".." in quantity or quantity == "forward@1" else 0)
        found.append(certificate(quantity, precision, fails, at))
    return found


def certificate(quantity: str, precision: str, fails: bool, step: int) -> Certificate:
    values: dict[str, Any] = {"rel_error": 0.5 if fails else 1e-15, "detail": "worst element [0]: 1.0, expected 2.0"}
    values |= {"limit": 1e-10, "passed": not fails}
    return Certificate("m", "tiny", "v", precision, "cpu", "sgd", quantity, step, **values)


@pytest.mark.parametrize(
    ("failing", "step", "expected"),
    [
        (("layer@0/up4.up", "layer@0/down2.bn1", "forward@0", "loss@0", "grad@0/head.b"), 1, "layer@0/down2.bn1"),
        (("forward@0", "forward@1"), 1, "forward@0"),
        (("loss@0", "grad@0/head.b", "grad@0/head.w"), 1, "loss@0"),
        (("grad@0/down1.conv1.w", "grad@0/up4.up.w", "state@1..3/head.b"), 1, "grad@0/up4.up.w"),
        (("state@1..3/head.b", "state@1..3/down1.bn1.var", "forward@1"), 1, "state@1/head.b"),
        (("state@1..3/head.b", "state@1..3/velocity/head.b"), 2, "state@2/velocity/head.b"),
        (("state@1..3/down1.bn1.mean", "forward@3"), 3, "state@3/down1.bn1.mean"),
        (("loss@1..2", "forward@3"), 2, "loss@2"),
    ],
    ids=["layer", "prediction", "loss", "gradient", "parameter", "slot", "statistic", "later loss"],
)
def test_the_first_is_what_a_net_computes_first(failing: tuple[str, ...], step: int, expected: str) -> None:
    found = divergence.first(certificates(UNET, *failing, step=step), UNET)
    assert found is not None
    assert divergence.quantity_of(found) == expected


def test_nothing_failed() -> None:
    assert divergence.first(certificates(UNET), UNET) is None
    assert divergence.explain(certificates(UNET), UNET) == []


def test_an_explanation_says_what_agrees_what_differs_and_why_that_may_be() -> None:
    assert divergence.explain(certificates(UNET, "layer@0/down1.conv2", "loss@0"), UNET) == [
        "What agrees: the layers up to down1.bn1.",
        "The first that differs is layer down1.conv2, in train mode: relative error 5.0e-01, limit 1.0e-10; "
        "worst element [0]: 1.0, expected 2.0.",
        f"Usual causes there: {divergence.USUAL_CAUSES['layer conv']}.",
    ]
    lines = divergence.explain(certificates(UNET, "state@1..3/head.b", step=2), UNET)
    assert lines[0] == (
        f"What agrees: all {len(UNET.layers)} layers in train mode, the prediction in eval mode, the first loss, "
        f"all {len(UNET.params)} gradients."
    )
    assert lines[1].startswith("The first that differs is head.b after training step 2: ")
    lines = divergence.explain(certificates(UNET, "grad@0/up1.conv2.w"), UNET)
    assert "the gradients from the last layer down to that of up1.bn2.scale" in lines[0]


def test_a_fault_of_float32_alone_says_so() -> None:
    both = certificates(UNET) + certificates(UNET, "forward@0", precision="float32")
    assert divergence.explain(both, UNET)[0].startswith("In float64 all that was compared agrees")


@pytest.mark.parametrize("model", specs.MODELS)
def test_every_place_has_usual_causes(model: str) -> None:
    spec = specs.get(model, "tiny")
    for failing in [c.quantity for c in certificates(spec)]:
        (*_, causes) = divergence.explain(certificates(spec, failing), spec)
        assert causes.startswith("Usual causes there: ")
