"""Run one case, or a range of them, outside pytest: `python tests/fuzz/replay_case.py media 123 [124 ...]`.

With `--keep DIR` the file of the case is left there. Everything happens in this process: a crash is a crash.
"""

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

_TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(_TESTS.parent), str(_TESTS), str(_TESTS / "fuzz")]

import fuzz_cases  # noqa: E402
from fuzz_base import make_base  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=sorted(fuzz_cases.KINDS))
    parser.add_argument("index", type=int, nargs="+")
    parser.add_argument("--seed", type=int, default=fuzz_cases.SEED)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        base = make_base(root / "base")
        os.environ["EDGE_AVER_CACHE"] = str(root / "cache")
        for index in options.index:
            place = (options.keep or root / "cases") / f"{options.kind}-{index}"
            place.mkdir(parents=True)
            print(f"{options.kind} {index}:", end=" ", flush=True)
            try:
                print(fuzz_cases.run_case(options.kind, options.seed, index, base, place))
            except Exception:
                print("failure")
                traceback.print_exc()


if __name__ == "__main__":
    main()
