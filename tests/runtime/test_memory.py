import ctypes
import subprocess
import sys

import pytest

CODE = """
import ctypes, threading
from edge_aver.runtime.memory import share_one_heap

{call}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
places = []
def allocate():
    places.append(libc.malloc(1000) >> 26)  # heaps of threads begin at multiples of 64 MiB
for target in [allocate] + [lambda: [allocate() for _ in range(50)]] * 3:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
allocate()
heap = [line.split()[0].split("-") for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]")]
low, high = (int(edge, 16) >> 26 for edge in heap[0])
print(sum(not low <= place <= high for place in places))
"""


def heaps_of_threads_used(call):
    done = subprocess.run([sys.executable, "-c", CODE.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no heaps of threads")
def test_threads_allocate_from_the_one_heap():
    assert heaps_of_threads_used("") > 0
    assert heaps_of_threads_used("share_one_heap()") == 0


def test_another_c_library_is_left_alone(monkeypatch):
    from edge_aver.runtime import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.share_one_heap() is None
