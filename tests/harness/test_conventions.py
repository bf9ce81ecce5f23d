"""The table of conventions: read from the installed versions, and equal to the committed snapshot."""

import pytest

from harness import conventions
from impls import registry
from impls.conventions import SUBJECTS

ENTRIES = {conventions.framework(e): e for e in registry.find_variants() if registry.offers(e, "conventions")}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_installed_version_takes_for_granted_what_the_snapshot_says(name: str) -> None:
    answers, versions = conventions.read([ENTRIES[name]])
    assert set(answers[name]) <= set(SUBJECTS)
    assert len(answers[name]) >= 10
    snapshot = conventions.load_snapshot()
    changes = conventions.differences(snapshot["conventions"], answers)
    assert not changes, (
        f"{', '.join(changes)}. Installed: {versions}; the snapshot is of {snapshot['versions']}. "
        "If the nets were written for the new value, run: python -m harness conventions --update"
    )


def test_every_subject_is_answered_by_a_framework() -> None:
    answered = {subject for answers in conventions.load_snapshot()["conventions"].values() for subject in answers}
    assert answered == set(SUBJECTS)


def test_a_changed_default_is_named() -> None:
    before = {"keras": {"adam.eps": 1e-7, "dropout.rate": 0.5}, "gone": {"adam.eps": 1.0}}
    now = {"keras": {"adam.eps": 1e-8}, "new": {"adam.eps": 1.0}}
    assert conventions.differences(before, now) == [
        "keras, Adam: default epsilon: 1e-08, was 1e-07",
        "keras, Dropout: default rate: not answered, was 0.5",
    ]


def test_rows_hold_the_frameworks_that_answered() -> None:
    assert conventions.rows({"JAX": {"gelu.approximate": True}, "Keras on jax": {}}) == [
        {"subject": "gelu.approximate", "title": SUBJECTS["gelu.approximate"], "values": {"JAX": True}}
    ]
    assert "Keras on jax" in ENTRIES
