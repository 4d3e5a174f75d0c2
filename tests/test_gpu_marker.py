"""Tests that need a GPU are never left out in silence."""

import os
import re
import subprocess
import sys


def run(repository, *arguments):
    """Run the suite for a GPU in a process that sees none."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(repository)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=repository, env=environment, timeout=120)


def test_a_run_without_them_says_how_many_and_why(repository):
    told = run(repository, "--collect-only").stdout
    found = re.search(r"Not run: (\d+) tests that need an NVIDIA GPU\. None can be used here: \S.+", told)
    assert found, told
    assert int(found[1]) > 20


def test_asked_for_without_a_gpu_they_fail_with_the_reason(repository):
    done = run(repository, "-m", "gpu", "-k", "does_not_have or serves")
    assert done.returncode == 1
    assert "asked for with -m gpu, but: " in done.stdout
    assert "2 errors" in done.stdout
    assert "Traceback" not in done.stdout
