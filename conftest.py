"""Loads the plugin behind `pytest --benchmark`. Here, in the root, `pytest-benchmark compare` finds its hooks too."""

pytest_plugins = ["harness.plugin"]
