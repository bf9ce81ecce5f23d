"""axe-core and html-validate: fetched once by npm, in the versions named here, and kept with pytest's cache."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

PACKAGES = {"axe-core": "4.14.1", "html-validate": "9.7.1"}
CONFIG = {"root": True, "extends": ["html-validate:recommended"]}


def install(folder: Path) -> Path | str:
    """Return the folder with the packages, or why there is none. Of several processes one installs, the others wait."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed, which fetches axe-core and html-validate"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = json.dumps({"private": True, "dependencies": PACKAGES})
        installed = folder / "installed.json"
        if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
            (folder / "package.json").write_text(wanted, encoding="utf-8")
            options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
            done = subprocess.run([npm, "install", *options], cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                return f"npm install failed: {done.stderr.strip()[-300:]}"
            installed.write_text(wanted, encoding="utf-8")
    return folder / "node_modules"


def validate(modules: Path, page: Path) -> list[str]:
    """Return what html-validate has against a page: "rule at line:column: message"."""
    config = page.with_name(".htmlvalidate.json")
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    command = [str(modules / ".bin" / "html-validate"), "--formatter", "json", "--config", str(config), str(page)]
    found = page.with_suffix(".found.json")  # a pipe would be cut off after 64 KiB: node does not wait for it
    with found.open("w", encoding="utf-8") as output:
        subprocess.run(command, stdout=output, timeout=120)
    return [
        f"{one['ruleId']} at {one['line']}:{one['column']}: {one['message']}"
        for file in json.loads(found.read_text(encoding="utf-8"))
        for one in file["messages"]
    ]
