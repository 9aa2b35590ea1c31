"""Tests that need MicroPython are deselected where there is none."""

from tests.firmware.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
