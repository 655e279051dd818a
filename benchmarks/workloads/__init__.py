"""The objects that are pickled in the benchmarks: a function for each, all of them in WORKLOADS.

Most take the standard library's C pickler 2 to 20 ms; pyperformance's and the last few are small,
because there the fixed costs of a dump are what counts.
"""

from __future__ import annotations

from typing import Final

from workloads import applications, hooks, instances, libraries, models, plain, sizes
from workloads.workload import Workload, workloads_of

WORKLOADS: Final[dict[str, Workload]] = {
    name: workload
    for module in (plain, instances, libraries, models, applications, hooks, sizes)
    for name, workload in workloads_of(module).items()
}
