"""The same sums on Apache Spark in local mode: equal to those of DuckDB over the same Parquet files.

Run by `make test-spark` in an environment of its own (extra `spark`, Java 17)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.scores.sums import SCHEMAS
from tests.server.scores.sums_data import by_duckdb, comparable, draw_rows, expressions, write_parquet

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local Spark session."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("hailong")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_spark_gives_the_sums_of_duckdb(spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import ibis

    paths = write_parquet(draw_rows(), tmp_path)
    expected = by_duckdb(paths)
    for name in SCHEMAS:
        spark.read.parquet(str(paths[name])).createOrReplaceTempView(name)
    backend = ibis.pyspark.connect(spark)
    lines = [f"Spark {spark.version}, ibis {ibis.__version__}"]
    for name, expression in expressions({name: backend.table(name) for name in SCHEMAS}).items():
        start_s = time.perf_counter()
        found = comparable(backend.to_pyarrow(expression).to_pylist())
        lines.append(
            f"{name:<20} {len(found):>5} rows, equal: {found == expected[name]}, {time.perf_counter() - start_s:.2f} s"
        )
        assert found, name
        assert found == expected[name], name
    with capsys.disabled():
        print("\n" + "\n".join(lines))
