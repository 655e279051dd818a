"""Records through Spark: a serializer for RDDs, in the driver and in the workers.

    pip install 'quickpickle[cloud]' pyspark
    python examples/spark_records.py [MASTER]

It needs Java 17 or later. MASTER is local[2] if nothing is said; on a cluster quickpickle has to be
installed on each machine.
"""

from __future__ import annotations

import os
import sys
from collections import namedtuple

from pyspark import SparkConf, SparkContext

from quickpickle.integrations.spark import Serializer

Record = namedtuple("Record", "number text")


def main() -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    master = sys.argv[1] if len(sys.argv) > 1 else "local[2]"
    conf = SparkConf().setMaster(master).setAppName("records").set("spark.ui.enabled", "false")
    context = SparkContext(conf=conf, serializer=Serializer())
    try:
        records = context.parallelize(range(2000), 2).map(lambda i: (i % 3, Record(i, str(i))))
        totals = records.groupByKey(2).mapValues(lambda group: sum(r.number for r in group))
        print(sorted(totals.collect()))
    finally:
        context.stop()


if __name__ == "__main__":
    main()
