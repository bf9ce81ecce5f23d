"""Documents with a lesson."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from reports.lesson.measured import Lesson

Record = dict[str, Any]


@pytest.fixture
def with_data(whole: Record) -> Callable[..., Lesson]:
    """What returns the lesson of a document with other measurements in one experiment, or none.

    Called with the experiment and {(framework, way): data}.
    """

    def planted(experiment: str, data: dict[tuple[str, str], Record]) -> Lesson:
        block = copy.deepcopy(whole["likeforlike"])
        kept = [one for one in block["lesson"]["measurements"] if one["experiment"] != experiment]
        about = {"experiment": experiment, "status": "measured", "reason": None, "source": None}
        new = [
            {**about, "backend": framework.lower(), "framework": framework, "way": way, "data": values}
            for (framework, way), values in data.items()
        ]
        block["lesson"]["measurements"] = kept + new
        return Lesson(block)

    return planted
