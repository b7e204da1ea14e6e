"""How a program is measured."""

from __future__ import annotations

import os
import sys

import pytest

from benchmarks.measure import ContestantError, read_peak, run_measured


def test_the_peak_is_read_from_the_kernels_text() -> None:
    assert read_peak("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\n") == 2048


def test_a_process_that_has_ended_tells_no_peak() -> None:
    assert read_peak("Name:\tx\nState:\tZ (zombie)\n") == 0


def test_a_run_gives_the_programs_output() -> None:
    assert run_measured([sys.executable, "-c", "print(1)"], os.environ).output == "1\n"


def test_a_program_that_fails_has_no_figure_but_a_reason() -> None:
    code = "import sys; sys.exit('no such fleet')"
    with pytest.raises(ContestantError, match="ended with 1: no such fleet"):
        run_measured([sys.executable, "-c", code], os.environ)
