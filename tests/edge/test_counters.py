"""The `[[counter]]` tables of a hall: what reads, and what is refused with a sentence that says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import load_config
from edge.counters import MAX_COUNTERS
from pipeline.errors import ConfigError
from tests.edge.test_config import GOOD, KEY, write

HALL = f"""
[box]
data_dir = "data"
agency_label = "Trung tâm Phục vụ hành chính công"
clerks_meet = true

[server]
address = "tcp://score.example:5570"
public_key = "{KEY}"

[legal]
basis = "consent"

[notice]
confirmed = true
contact = "Văn phòng"

[[counter]]
name = "1"
label = "Quầy 1"
agency = "so-tu-phap"
agency_label = "Sở Tư pháp"
queue_id = "A1"
visit = {{ by = "presence", prior = [0.2, 0.7, 0.1] }}
[counter.camera]
source = "rtsp://10.0.0.1/"
region = [[0, 0], [1, 0], [1, 1], [0, 1]]

[[counter]]
name = "2"
agency = "so-tu-phap"
[counter.camera]
source = "rtsp://10.0.0.2/"
region = [[0.1, 0.1], [1, 0], [1, 1], [0, 1]]

[[counter]]
name = "3"
agency = "so-y-te"
[counter.camera]
source = "rtsp://10.0.0.3/"
region = [[0, 0], [1, 0], [1, 1], [0, 1]]

[[privacy.pools]]
number = 1
agency = "so-tu-phap"

[[privacy.pools]]
number = 2
agency = "so-y-te"
joins = 1
"""


def test_a_hall_reads_and_its_counters_are_in_their_agencies_pools(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, HALL))
    config.privacy.require_staff_protection()
    assert config.privacy.released_pools == {1: 3}
    assert config.privacy.counters == {"1": 1, "2": 1, "3": 1}, "a pool of one clerk is counted in the one it joins"
    assert config.privacy.rating_pools == (1, 2)
    assert [config.pool_of(counter) for counter in config.counters] == [1, 1, 2], "its ratings stay its own"
    assert [counter.called for counter in config.counters] == ["A1", "2", "3"]
    assert config.analysis_wanted


def test_the_single_form_is_one_counter(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD.replace("clerks_meet", 'counter_label = "Quầy 3-4"\nclerks_meet')))
    (counter,) = config.counters
    assert (counter.name, counter.label, counter.visits.by) == ("1", "Quầy 3-4", "presence")
    assert config.camera is not None
    assert counter.camera == config.camera
    assert config.pool_of(counter) == 1


def test_a_counter_without_sources_takes_ratings_only(tmp_path: Path) -> None:
    """A tablet in a waiting room."""
    waiting = '[[counter]]\nname = "cho"\nagency = "so-tu-phap"\n\n[[privacy.pools]]\nnumber = 1'
    config = load_config(write(tmp_path, HALL.replace("[[privacy.pools]]\nnumber = 1", waiting)))
    assert [counter.has_source for counter in config.counters] == [True, True, True, False]


OWN_PORT = "tablet = { port = 8101 }\n"
SECOND = 'name = "2"\nagency = "so-tu-phap"\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "2"', 'name = "1"', "counters 1 and 1 have the same name"),
        ("10.0.0.2", "10.0.0.1", "counters 1 and 2 have the same camera"),
        ("10.0.0.2", "admin:hunter2@10.0.0.1", "counters 1 and 2 have the same camera"),
        (
            'source = "rtsp://10.0.0.2/"',
            'source = "rtsp://10.0.0.2/"\nsub_stream = "rtsp://10.0.0.3/"',
            "counters 2 and 3 have the same camera",
        ),
        (SECOND, SECOND + 'queue_id = "A1"\n', "counters 1 and 2 have the same queue_id"),
        (SECOND, SECOND + "tablet = { port = 8090 }\n", "counter 2: its tablet address is that of [tablet]"),
        (
            SECOND,
            SECOND
            + 'tablet = { port = 8101 }\n[[counter]]\nname = "4"\nagency = "so-tu-phap"\ntablet = { port = 8101 }\n',
            "counter 4: its tablet address is that of counter 2",
        ),
        (
            SECOND,
            SECOND + 'tablet = { host = "10.0.0.9", port = 8101 }\n',
            "[tablet] network_closed = true is needed",
        ),
        ('name = "2"\nagency = "so-tu-phap"', 'name = "2"\nagency = "so-ta-phap"', "of no pool"),
        ('name = "2"\nagency = "so-tu-phap"', 'name = "2"', "counter 2: it is in no pool"),
        (
            'number = 2\nagency = "so-y-te"',
            'number = 2\nagency = "so-y-te"\ncounters = ["2"]',
            "and every counter is in one pool",
        ),
        (
            'agency = "so-y-te"\njoins',
            'agency = "so-y-te"\ncounters = ["9"]\njoins',
            "there is no [[counter]] of that name",
        ),
        ('number = 2\nagency = "so-y-te"', 'number = 2\nagency = "so-tu-phap"', "every counter is in one pool"),
        ("[[counter]]", "[camera]\nsource = 0\n[[counter]]", "with [[counter]] tables there is no [camera]"),
        ("[[counter]]", "[microphone]\nsource = 0\n[[counter]]", "there is no [microphone]"),
        ("clerks_meet = true", 'clerks_meet = true\ncounter_label = "x"', "no [box] counter_label"),
        ("region = [[0.1, 0.1], [1, 0], [1, 1], [0, 1]]", "", "counter 2: [camera] region is needed"),
        (
            SECOND,
            SECOND + 'visit = { by = "queue" }\n',
            'counter 2: [visit] by = "queue" needs [queue] enabled = true',
        ),
        (
            SECOND,
            SECOND + 'microphone = { source = "hw:1" }\n',
            "counter 2: [microphone] staff_not_heard = true is needed",
        ),
        (SECOND, SECOND + 'kamera = "x"\n', "'counter.1.kamera' is not known. Did you mean 'camera'?"),
        ('name = "2"', 'name = "../2"', "counter.1.name: is not written as it has to be"),
    ],
)
def test_what_two_counters_cannot_share_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in HALL
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, HALL.replace(old, new, 1)))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_pool_of_one_clerk_that_joins_none_is_refused(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, HALL.replace("joins = 1\n", "")))
    with pytest.raises(ConfigError, match="Pool 2 serves one clerk"):
        config.privacy.require_staff_protection()


def test_pools_without_counters_and_too_many_counters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"need \[\[counter\]\] tables"):
        load_config(write(tmp_path, GOOD + "\n[[privacy.pools]]\nnumber = 1\nclerks = 2\n"))
    tables = "".join(f'[[counter]]\nname = "{number}"\nagency = "a"\n' for number in range(MAX_COUNTERS + 1))
    head = HALL[: HALL.index("[[counter]]")]
    pool = '[[privacy.pools]]\nnumber = 1\nagency = "a"\n'
    with pytest.raises(ConfigError, match="too many entries, at most 64"):
        load_config(write(tmp_path, head + tables + pool))
    assert len(load_config(write(tmp_path, head + tables[: tables.rindex("[[counter]]")] + pool)).counters) == 64


def test_several_counters_may_take_channels_of_one_microphone(tmp_path: Path) -> None:
    sound = 'microphone = {{ source = "hw:1", channel = {}, staff_not_heard = true }}\n'
    text = HALL.replace('name = "1"\n', 'name = "1"\n' + sound.format(0)).replace(
        'name = "2"\n', 'name = "2"\n' + sound.format(1)
    )
    assert [counter.microphone.channel for counter in load_config(write(tmp_path, text)).counters] == [0, 1, 0]
    with pytest.raises(ConfigError, match="counters 1 and 2 hear the same channel of the same microphone"):
        load_config(write(tmp_path, text.replace("channel = 1", "channel = 0")))
