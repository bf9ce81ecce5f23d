"""The versioned result document: pytest-benchmark's JSON plus the block `likeforlike`, and its JSON Schema."""

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA_VERSION = 4
SCHEMA_PATH = Path(__file__).with_name("results.schema.json")


class ResultError(ValueError):
    """A result document that cannot be used; the message is one line that says why and what to do."""


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the block `likeforlike`."""
    return json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def validate(document: Any, source: str = "the document") -> None:
    """Check a result document.

    Raises:
        ResultError: no `likeforlike` block, another schema version, or a value that the schema does not allow.
    """
    if not isinstance(document, dict) or not isinstance(document.get("likeforlike"), dict):
        raise ResultError(f"{source} has no block 'likeforlike'; make one with: pytest --benchmark")
    block = document["likeforlike"]
    version = block.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ResultError(
            f"{source} has schema version {version!r}, this program reads version {SCHEMA_VERSION}; "
            "run the benchmark again, or use the release that wrote it"
        )
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema()).iter_errors(block))
    if error is not None:
        place = "/".join(str(part) for part in ("likeforlike", *error.absolute_path))
        raise ResultError(f"{source} does not fit the schema at {place}: {error.message[:200]}")


def load(path: str | Path) -> dict[str, Any]:
    """Read and check a result document.

    Raises:
        ResultError: the file is missing, unreadable, not JSON, truncated, or does not fit the schema.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ResultError(f"cannot read {path}: {reason}") from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultError(
            f"{path} is not a whole JSON document ({error.msg} at line {error.lineno}); was the run cut off?"
        ) from error
    validate(document, str(path))
    return document


def dumps(document: dict[str, Any]) -> str:
    """Return the document as JSON text. NaN and infinity raise ValueError: JSON has neither."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)  # mkstemp makes it private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
