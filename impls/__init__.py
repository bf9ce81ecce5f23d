"""What is compared: the same nets, one folder per framework. Importing this package imports no framework.

This file must exist: without it `impls/torch` would be found as the top-level package `torch`.
"""
