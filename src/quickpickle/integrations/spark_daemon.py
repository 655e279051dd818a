"""Spark's daemon, which forks the workers, with quickpickle: for spark.python.daemon.module."""

from __future__ import annotations

from pyspark.daemon import manager

from quickpickle.integrations.spark import install

if __name__ == "__main__":
    install()
    manager()
