"""PyTorch: torch.save and torch.load, the workers of a DataLoader, objects between ranks.

The scripts are processes of their own, as install() has to come before `import torch`.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import quickpickle
from integrations.deep import DEPTH, deep_list, depth

if importlib.util.find_spec("torch") is None:
    pytest.skip("for `make others` alone", allow_module_level=True)

TESTS = str(Path(__file__).parents[1])


def output_of(script, *arguments):
    run = [sys.executable, script, TESTS, *map(str, arguments)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_load_and_save(tmp_path):
    import torch

    deep = {"deep": deep_list(), "weights": torch.ones(3)}
    torch.save(deep, tmp_path / "file", pickle_module=quickpickle)
    copy = torch.load(tmp_path / "file", pickle_module=quickpickle, weights_only=False)
    assert depth(copy["deep"]) == DEPTH
    assert torch.equal(copy["weights"], deep["weights"])
    with pytest.raises(RecursionError):
        torch.save(deep, tmp_path / "file")


LOADER = """
import pickle
import sys

import quickpickle

sys.path.append(sys.argv[1])
from integrations.deep import deep_list, depth


class Samples:
    def __init__(self, deep):
        self.deep = deep

    def __len__(self):
        return 4

    def __getitem__(self, index):
        import torch

        return self.deep, torch.full((3,), float(index)), pickle.dumps is quickpickle.dumps


def as_it_is(samples):
    return samples


def main():
    import torch
    from torch.utils.data import DataLoader

    samples = Samples(deep_list())
    quickpickle.install()
    for method in ("fork", "spawn", "forkserver"):
        loader = DataLoader(
            samples, 2, num_workers=1, collate_fn=as_it_is, multiprocessing_context=method
        )
        for number, batch in enumerate(loader):
            for place, (deep, tensor, is_ours) in enumerate(batch):
                assert is_ours and tensor.is_shared()
                assert tensor.tolist() == [2.0 * number + place] * 3
                print(method, depth(deep))


if __name__ == "__main__":
    main()
"""


def test_workers_of_a_data_loader(tmp_path):
    """With each start method they are sent, and send back, what only quickpickle can write.

    Tensors go by shared memory, by the reducers that PyTorch has registered.
    """
    script = tmp_path / "script.py"
    script.write_text(LOADER)
    methods = [method for method in ("fork", "spawn", "forkserver") for _ in range(4)]
    assert output_of(script) == [f"{method} {DEPTH}" for method in methods]


RANKS = """
import sys

import quickpickle

sys.path.append(sys.argv[1])
from integrations.deep import deep_list, depth


def run(rank, address, deep):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    seen = [None, None]
    dist.all_gather_object(seen, {"rank": rank, "deep": deep})
    assert [held["rank"] for held in seen] == [0, 1]
    counts = [depth(held["deep"]) for held in seen]
    sent = [deep if rank == 0 else None]
    dist.broadcast_object_list(sent, src=0)
    counts.append(depth(sent[0]))
    got = [None]
    dist.scatter_object_list(got, [deep, deep] if rank == 0 else None, src=0)
    counts.append(depth(got[0]))
    dist.all_gather_object(seen, counts)
    dist.destroy_process_group()
    if rank == 0:  # with two that print, lines may run into each other
        for counts in seen:
            print(counts, flush=True)


def main():
    deep = deep_list()
    if sys.argv[3] == "before":
        quickpickle.install()
    import torch
    import torch.multiprocessing

    installation = quickpickle.install()
    print([name for name in installation.unreached() if "c10d._" in name], flush=True)
    if sys.argv[3] == "before":
        torch.multiprocessing.spawn(run, (sys.argv[2], deep), nprocs=2)


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def ranks(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(RANKS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    return lambda when: output_of(script, address, when)


def test_objects_between_ranks(ranks):
    """Two processes on this machine, with gloo."""
    assert ranks("before") == ["[]", *[f"{[DEPTH] * 4}"] * 2]


def test_install_behind_the_import_of_torch(ranks):
    """It has the Pickler under a name of its own by then, and unreached() says so."""
    names = [f"torch.distributed.distributed_c10d.{name}" for name in ("_pickler", "_unpickler")]
    assert ranks("behind") == [f"{names}"]
