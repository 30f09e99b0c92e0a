"""The report names the confidence that its intervals have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from pipeline.instruments import load_instrument
from server.core.provinces import write_setting
from server.documents.blocks import TableBlock
from server.reports.content import make_report
from server.reports.sources import gather
from server.scores.fused import agency_scores
from server.store.engine import read, write
from tests.server.province import PERIOD, fill_province


@pytest.mark.parametrize(("confidence", "said"), [(0.95, "95 %"), (0.9, "90 %"), (0.975, "97,5 %")])
def test_combined_estimates_have_the_provinces_confidence(store: Engine, confidence: float, said: str) -> None:
    """Once “95 %” stood above them whatever the setting."""
    province = fill_province(store, "p1").province_id
    with write(store) as connection:
        write_setting(connection, province, "confidence", confidence)
    one = agency_scores(store, province, PERIOD)[0]
    fused = [replace(one, index_fused=one.index_explicit, fused_low=one.explicit_low, fused_high=one.explicit_high)]
    with read(store) as connection:
        report = make_report(gather(connection, province, load_instrument("2640"), PERIOD, fused))
    heads = [block.header for block in report.blocks if isinstance(block, TableBlock) and len(block.header) > 2]
    assert [head[2] for head in heads if head.count(head[2]) == 2] == [said]
