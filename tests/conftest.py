"""Shared by every folder of Python tests: the support modules and the fixtures."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
sys.dont_write_bytecode = True

import cryptobox  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: also worth running under ASan, UBSan and TSan")
    config.addinivalue_line("markers", "slow: seconds rather than a moment")


@pytest.fixture
def ring(tmp_path):
    """A ring with one entry for com.acme., both private keys."""
    return cryptobox.write_ring(tmp_path / "ring.json", [cryptobox.Pair("com.acme.")])
