"""quickpickle in Ray: in the place of ray.cloudpickle, the cloudpickle that Ray has in it.

    quickpickle.integrations.ray.install()
    ray.init(runtime_env={"worker_process_setup_hook": quickpickle.integrations.ray.install})

The first line is for this process, the second one for the workers.
"""

from __future__ import annotations

import ray.cloudpickle

from ..rules.tracebacks import drops_frames
from .copies import replace, restore

__all__ = ["install", "uninstall"]


@drops_frames
def install() -> None:
    """Let Ray write and read with quickpickle in this process; the bytes are the same.

    `ray.put`, `ray.get`, arguments, results and exceptions of tasks and actors, and functions and
    classes that are exported to workers go by it. Ray's own reducers (object references, actor
    handles, what `ray.util.register_serializer` was told) count as before, and large arrays stay in
    shared memory. A process that has not called it reads what another one has written.

    It can be called before or after `ray.init`, and any number of times. `uninstall` undoes it.

    Example
    -------
    >>> import ray, quickpickle.integrations.ray as quick
    >>> quick.install()
    >>> _ = ray.init(runtime_env={"worker_process_setup_hook": quick.install})
    >>> ray.get(ray.put([1, 2, 3]))
    [1, 2, 3]

    Source: https://docs.ray.io/en/latest/ray-core/objects/serialization.html
    """
    replace(ray.cloudpickle)


@drops_frames
def uninstall() -> None:
    """Undo `install` in this process."""
    restore(ray.cloudpickle)
