"""A pipeline of Beam: its elements, and a function that holds objects, pickled by quickpickle.

pip install quickpickle apache-beam
python examples/beam_pipeline.py

`install()` comes before `import apache_beam`, whose cloudpickle then derives from our Pickler.
"""

from __future__ import annotations

import dataclasses

import quickpickle

quickpickle.install()

import apache_beam as beam  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402


@dataclasses.dataclass
class Station:
    """Stations lead to the next one: the line is too deep for the standard pickler."""

    name: str
    next: Station | None = None


def line(length: int) -> Station | None:
    station = None
    for number in range(length):
        station = Station(f"station {number}", station)
    return station


def length(station: Station | None) -> int:
    count = 0
    while station is not None:
        station, count = station.next, count + 1
    return count


def main() -> None:
    longest = line(10_000)
    with beam.Pipeline("FnApiRunner", options=PipelineOptions([])) as pipeline:
        (
            pipeline
            | beam.Create([5_000, 20_000])
            | beam.Map(lambda count: ("line", line(count)))
            | beam.GroupByKey()
            | beam.Map(lambda pair: sorted([*map(length, pair[1]), length(longest)]))
            | beam.Map(print)
        )


if __name__ == "__main__":
    main()
