"""Folders of runs: whose they are, and what is left in them."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.folders import InUseError, RunFolder


def test_runs_of_one_second_get_names_of_their_own(tmp_path: Path) -> None:
    folders = [RunFolder.make(tmp_path / "runs", "20261122T000000Z-cpu") for _ in range(3)]
    names = [folder.path.name for folder in folders]
    assert names == ["20261122T000000Z-cpu", "20261122T000000Z-cpu-2", "20261122T000000Z-cpu-3"]
    assert folders[0].others() == set(names[1:])


def test_an_empty_folder_does_not_stay(tmp_path: Path) -> None:
    RunFolder.make(tmp_path, "run").release()
    assert not list(tmp_path.iterdir())


def test_what_was_kept_stays_until_the_results_are_there(tmp_path: Path) -> None:
    folder = RunFolder.make(tmp_path, "run")
    folder.keep({"run": 1})
    folder.release()
    assert [path.name for path in folder.path.iterdir()] == ["partial.json"]
    again = RunFolder(folder.path)
    (folder.path / "results.json").write_text("{}")
    again.release()
    assert [path.name for path in folder.path.iterdir()] == ["results.json"]


def test_a_folder_belongs_to_one_process_for_as_long_as_it_lives(tmp_path: Path) -> None:
    """SIGKILL does not leave the lock behind, though it leaves the file."""
    script = "import sys, time, harness.folders as f; from pathlib import Path\n"
    script += "f.RunFolder.make(Path(sys.argv[1]), 'run'); print('made', flush=True); time.sleep(60)"
    own = RunFolder.make(tmp_path, "own")
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert own.others() == {"run"}
        with pytest.raises(InUseError, match="the run run is still going on"):
            RunFolder(tmp_path / "run")
        process.kill()
    assert own.others() == set()
    RunFolder(tmp_path / "run").release()
