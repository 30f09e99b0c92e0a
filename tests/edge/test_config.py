"""A configuration is taken whole or refused whole, and the refusal says where and what to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from edge.capture.redaction import redacted, without_user
from edge.config import EdgeConfig, complaints, load_config
from edge.config_complaints import section_of
from edge.perception.analysis import engine_settings
from pipeline.errors import ConfigError
from pipeline.fusion import FusionParameters
from pipeline.keys import z85_encode
from pipeline.language import in_language

KEY = z85_encode(bytes(range(32)))
GOOD = f"""
[box]
data_dir = "data"
agency_label = "Sở Tư pháp"
clerks_meet = true

[camera]
source = "none"

[privacy]
clerks_per_box = 2

[server]
address = "tcp://score.example:5570"
public_key = "{KEY}"

[legal]
basis = "consent"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_small_configuration_has_safe_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.box.data_dir == tmp_path / "data"
    assert not config.notice.confirmed
    assert not config.analysis_wanted
    assert config.tablet.host == "127.0.0.1"
    assert not config.queue.enabled
    assert config.server.enrolment_address() == "tcp://score.example:5571"


def test_the_counters_prior_reaches_the_fusion(tmp_path: Path) -> None:
    """Stated in the configuration, or that of the fusion's defaults; a demo's shorter times leave it."""
    stated = load_config(write(tmp_path, GOOD + "\n[visit]\nprior = [0.2, 0.7, 0.1]\n"))
    assert engine_settings(stated).fusion.prior == (0.2, 0.7, 0.1)
    assert engine_settings(stated).for_demo().fusion.prior == (0.2, 0.7, 0.1)
    assert engine_settings(load_config(write(tmp_path, GOOD))).fusion == FusionParameters()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "clerks_per_box = 2",
            "clerks_per_bix = 2",
            "line 11: 'privacy.clerks_per_bix' is not known. Did you mean 'clerks_per_box'?",
        ),
        ("[privacy]", "[privaci]", "line 10: 'privaci' is not known. Did you mean 'privacy'?"),
        ('agency_label = "Sở Tư pháp"', "", "'box.agency_label' is missing."),
        (
            "tcp://score.example:5570",
            "http://score.example",
            "line 14: server.address: an address reads tcp://host:port.",
        ),
        (KEY, KEY[:-1], "line 15: server.public_key: A key is not Z85 text."),
        (
            'source = "none"',
            "source = 0\nregion = [[0.1, 0.1], [0.9, 0.9]]",
            "line 9: camera.region: a polygon has at least three corners.",
        ),
        (
            'source = "none"',
            "source = 0\nregion = [[0.1, 0.1], [0.9, 1.9], [0, 0]]",
            "camera.region.1.1: must be 1 or less.",
        ),
        (
            "clerks_per_box = 2",
            "clerks_per_box = 2\npulse_epsilon_milli = 900",
            "pulse_epsilon_milli + evidence_epsilon_milli must not exceed",
        ),
        ("[privacy]", "[queue]\nenabled = true\n[privacy]", "token_file is needed where enabled = true"),
        ("[privacy]", "[visit]\nprior = [0.5, 0.6, 0.1]\n[privacy]", "not of three shares that sum to 1"),
        ("[privacy]", "[visit]\nprior = [0.1, 0.9]\n[privacy]", "visit.prior"),
        ("[privacy]", "[visit]\nprior = [0.0, 0.9, 0.1]\n[privacy]", "not of three shares"),
        ("[privacy]", '[visit]\nby = "queue"\n[privacy]', '[visit] by = "queue" needs [queue] enabled = true.'),
        (
            "[privacy]",
            "[microphone]\nsource = 0\nstaff_not_heard = true\n[privacy]",
            '[visit] by = "presence" needs a camera',
        ),
        ('data_dir = "data"', 'data_dir = "data"\ndemo = true', "[box] demo and [privacy] demo must be the same."),
        ("[privacy]", "[privacy", "is not TOML: line 10, column 9 is not written as it has to be."),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, GOOD.replace(old, new)))
    assert said in str(caught.value)


def test_a_missing_file_and_a_file_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no configuration"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "bytes.toml")


def test_a_wrong_value_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    """It may be a password."""
    text = GOOD.replace('source = "none"', 'source = ["rtsp://admin:hunter2@camera/1"]')
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert "hunter2" not in str(caught.value)


def test_a_camera_password_is_redacted() -> None:
    assert redacted("rtsp://admin:hunter2@camera/1") == "rtsp://camera/1"
    assert redacted("rtsp://admin:p@ss/word@camera/1?key=7") == "rtsp://camera/1"
    assert redacted("rtsp://10.0.0.9/user=admin&password=hunter2&channel=1") == "rtsp://10.0.0.9/user=admin&..."
    assert redacted(0) == "0"


def test_a_recorder_s_channels_are_two_cameras_and_another_password_is_none() -> None:
    one = without_user("rtsp://admin:p@ss/word@10.0.0.9/realmonitor?channel=1&subtype=0")
    assert one == without_user("rtsp://other@10.0.0.9/realmonitor?channel=1&subtype=0")
    assert one != without_user("rtsp://admin:p@ss/word@10.0.0.9/realmonitor?channel=2&subtype=0")
    assert without_user(0) == without_user("0") == "0"


def test_the_notice_decides_whether_anything_is_analysed(tmp_path: Path) -> None:
    with_camera = GOOD.replace('source = "none"', "source = 0\nregion = [[0, 0], [0.6, 0], [0.6, 1], [0, 1]]", 1)
    config = load_config(write(tmp_path, with_camera))
    assert not config.analysis_wanted
    with pytest.raises(ConfigError, match="contact is needed"):
        load_config(write(tmp_path, with_camera + '\n[notice]\nconfirmed = true\ncontact = " "\n'))
    assert any("notice is not confirmed" in sentence for sentence in config.warnings(None))
    assert load_config(
        write(tmp_path, with_camera + '\n[notice]\nconfirmed = true\ncontact = "Văn phòng"\n')
    ).analysis_wanted


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("camera", "region is needed"),
        ("microphone", "staff_not_heard = true is needed"),
        ("tablet", "network_closed = true is needed"),
        ("pulse", "clerks_meet = true is needed"),
    ],
)
def test_what_staff_or_strangers_could_suffer_is_refused(tmp_path: Path, added: str, said: str) -> None:
    text = {
        "camera": GOOD.replace('source = "none"', "source = 0", 1),
        "microphone": GOOD
        + '\n[visit]\nby = "queue"\n[queue]\nenabled = true\ntoken_file = "token"\n[microphone]\nsource = 0\n',
        "tablet": GOOD + '\n[tablet]\nhost = "192.0.2.7"\n',
        "pulse": GOOD.replace("clerks_meet = true", ""),
    }[added]
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, text))
    stated = {
        "camera": text.replace("source = 0", "source = 0\nregion = [[0, 0], [1, 0], [1, 1], [0, 1]]"),
        "microphone": text.replace("source = 0", "source = 0\nstaff_not_heard = true"),
        "tablet": text + "network_closed = true\n",
        "pulse": text.replace("clerks_per_box = 2", "clerks_per_box = 2\npulse_epsilon_milli = 0"),
    }[added]
    load_config(write(tmp_path, stated))


def test_the_digest_follows_the_values_not_the_comments(tmp_path: Path) -> None:
    one = load_config(write(tmp_path, GOOD)).digest()
    assert load_config(write(tmp_path, GOOD + "\n# a comment\n")).digest() == one
    assert load_config(write(tmp_path, GOOD + '\n[notice]\nconfirmed = true\ncontact = "Văn phòng"\n')).digest() != one


def _undocumented(model: type, place: str = "") -> list[str]:
    """Settings without a sentence in the guide's example file."""
    example = (Path(__file__).parents[2] / "docs" / "guide" / "edge.toml").read_text("utf-8")
    missing = []
    for name, field in model.model_fields.items():  # type: ignore[attr-defined]
        section = section_of(field.annotation)
        if section is not None:
            missing += [] if f"[{name}]" in example or f".{name}]" in example else [f"[{name}]"]
            missing += _undocumented(section, name)
        elif f"{name} =" not in example:
            missing.append(f"{place}.{name}")
    return missing


def test_every_setting_stands_in_the_guide_s_example() -> None:
    assert _undocumented(EdgeConfig) == []


def test_whatever_is_wrong_with_a_setting_is_said_in_vietnamese() -> None:
    """Every setting of the guide with values of every kind; pydantic's own words are English."""
    values = tomllib.loads((Path(__file__).parents[2] / "docs/guide/edge.toml").read_text("utf-8"))
    wrong: list[object] = [None, "x", "", -1, 10**9, 3.5, True, [], [1], {}, "2026-13-45"]
    said = [
        in_language(complaint, "vi")
        for name, table in values.items()
        for key in (*table, "unknown")
        for value in wrong
        for _, complaint in complaints({**values, name: {**table, key: value}})
    ]
    english = re.compile(r": .*\b(?:input|should|valid|must|field|than|given|is|the)\b", re.IGNORECASE)
    assert [words for words in said if english.search(words)] == []
    assert len(said) > 300
