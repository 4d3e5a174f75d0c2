"""A process that runs cases, one line of JSON in and one out; it may die of a case, and its parent sees to the rest.

Whatever it writes outside its own folder is told: Python's writing by an audit hook, that of C libraries by looking at
the folders in which they would write (the working, home and temporary folders).
"""

import json
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path

MEMORY_BYTES = 6 << 30
"""Of address space: a case that asks for more ends in MemoryError, which no case may."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}


class Watch:
    """What was written where nothing may be: `outside` is emptied by `take`."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._empty = [root / name for name in ("cwd", "home", "tmp")]
        self._here = set(os.listdir(root))  # noqa: PTH208
        self._outside: list[str] = []
        sys.addaudithook(self._note)

    def take(self) -> list[str]:
        """What was written outside since the last time; in the watched folders it is removed."""
        left = [item for folder in self._empty for item in folder.iterdir()]
        found = [str(item) for item in left] + self._outside
        found += [name for name in os.listdir(self._root) if name not in self._here]  # noqa: PTH208
        self._here |= set(found)
        for item in left:
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
        self._outside = []
        return found

    def _note(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING:
                self._check(path)
        elif event in _CHANGES and not (event != "os.mkdir" and any(_is_descriptor(item) for item in arguments[1:])):
            made = {"os.rename": arguments[:2], "os.link": arguments[1:2], "os.symlink": arguments[1:2]}
            for path in made.get(event, arguments[:1]):
                self._check(path)

    def _check(self, path: object) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            text = os.path.realpath(os.fsdecode(path))
            if not text.startswith((self._root + "/place", self._root + "/tmp", "/dev/", "/proc/")):
                self._outside.append(text)


def _is_descriptor(item: object) -> bool:
    """Whether a path is told relative to an open folder, as when a tree is removed."""
    return isinstance(item, int) and item >= 0


def main() -> None:
    root, base, seed = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.dont_write_bytecode = True
    import fuzz_cases

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.chdir(root / "cwd")
    watch = Watch(root)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        kind, index = json.loads(line)
        began = time.process_time()
        try:
            with fuzz_cases.emptied(root / "place" / "case") as place:
                outcome = fuzz_cases.run_case(kind, seed, index, base, place)
            failure = None
        except BaseException:
            outcome, failure = "failure", traceback.format_exc()
        if failure is None and (outside := watch.take()):
            outcome, failure = "failure", f"written outside the workspace: {outside}"
        seconds = time.process_time() - began
        answers.write(json.dumps({"outcome": outcome, "failure": failure, "cpu_s": seconds}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
