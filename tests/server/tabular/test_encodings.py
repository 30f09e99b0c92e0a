"""Old codes of Vietnamese are turned when certain, and refused with the way out when not."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from server.tabular.encodings import TCVN3, VISCII, VNI, encoding_of, font_code_of, is_syllable, unescaped, ungarbled
from server.tabular.records import RefusedError

NAMES = (
    "Sở Tư pháp",
    "Sở Y tế",
    "UBND phường Hòa Bình",
    "UBND xã Đạo Viện",
    "Huyện Đắk Lắk",
    "Quảng Ngãi",
    "Thừa Thiên Huế",
    "Lĩnh vực đất đai",
    "Giải quyết khiếu nại",
    "Nguyễn Thị Thuỷ",
    "Bộ phận Một cửa",
    "thủ tục hộ tịch",
    "người dân",
    "Hưng Yên",
    "khuỷu tay",
    "ngoằn ngoèo",
    "nghiêng",
    "Ỷ Lan",
    "ĂN UỐNG",
    "ĐƯỜNG SÁ",
    "mỹ thuật",
    "kỹ sư",
    "tỵ nạn",
)


def _to_tcvn3(text: str) -> bytes:
    from server.tabular.encodings import _TCVN3

    back = {letter: code for code, letter in _TCVN3.items() if letter != "\ufffd"}
    return "".join(back.get(c, c) for c in unicodedata.normalize("NFC", text).replace("Ỷ", "ỷ")).encode("latin-1")


def _to_vni(text: str) -> bytes:
    from server.tabular.encodings import _VNI_BASES, _VNI_MARKS, _VNI_SINGLE

    single = {value: key for key, value in _VNI_SINGLE.items()}
    bases = {value: key for key, value in _VNI_BASES.items()}
    marks = {unicodedata.normalize("NFC", f"a{value}"): key for key, value in _VNI_MARKS.items()}
    out = []
    for letter in unicodedata.normalize("NFC", text):
        if letter in single:
            out.append(single[letter])
            continue
        parts = unicodedata.normalize("NFD", letter)
        base, rest = parts[0], parts[1:]
        if "\u031b" in rest:
            base, rest = unicodedata.normalize("NFC", base + "\u031b"), rest.replace("\u031b", "")
        mark = marks.get(unicodedata.normalize("NFC", f"a{rest}"), "")
        out.append(bases.get(base, base) + (mark.upper() if base.isupper() else mark) if rest else letter)
    return "".join(out).encode("cp1252")


def _file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(b"code,name_vi\r\n" + data)
    return path


@pytest.mark.parametrize(("encode", "code"), [(_to_tcvn3, TCVN3), (_to_vni, VNI)])
def test_font_codes_are_turned_letter_by_letter(tmp_path: Path, encode: object, code: object) -> None:
    assert callable(encode)
    text = "\r\n".join(name for name in NAMES if code is VNI or name.upper() != name)
    data = encode(text)
    found = encoding_of(_file(tmp_path, data))
    assert found == code
    assert found.turned(data.decode(found.codec)) == unicodedata.normalize("NFC", text).replace(
        "Ỷ", "ỷ" if code is TCVN3 else "Ỷ"
    )


def test_utf_8_with_a_stray_byte_stays_utf_8(tmp_path: Path) -> None:
    assert encoding_of(_file(tmp_path, "Sở Tư pháp\n".encode() + b"S\xf4\n")).codec == "utf-8"


@pytest.mark.parametrize(
    "data", [b"\x81\x8d\x8f\n" * 4, "Müller, Straße\n".encode("latin-1"), "Привет мир\n".encode("cp1251")]
)
def test_a_code_that_cannot_be_told_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RefusedError, match="unknown_code"):
        encoding_of(_file(tmp_path, data))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_syllables_and_never_taken_for_another_code(name: str) -> None:
    assert all(is_syllable(word) for word in name.split() if not word.isascii())
    assert font_code_of(name) is None
    assert ungarbled(name) == ""


@pytest.mark.parametrize("name", ["Müller", "Café Âu Lạc", "São Tomé", "Krông Pắc", "Cư M’gar", "°C ½", "Số 5 – A"])
def test_other_names_are_left_alone(name: str) -> None:
    assert font_code_of(name) is None
    assert ungarbled(name) == ""


@pytest.mark.parametrize("codec", ["cp1252", "latin-1", "cp1258"])
@pytest.mark.parametrize("name", NAMES[:8])
def test_garbled_names_are_recognised(codec: str, name: str) -> None:
    garbled = "".join(
        chr(byte) if 0x80 <= byte <= 0x9F and codec == "latin-1" else bytes([byte]).decode(codec, "replace")
        for byte in name.encode()
    )
    if "\ufffd" not in garbled:
        assert ungarbled(unicodedata.normalize("NFC", garbled)) == name


def test_a_code_that_nobody_is_left_of_is_not_taken_for_another(tmp_path: Path) -> None:
    """VISCII reads in TCVN3 as other syllables (`Sở Tư pháp` as `Sã Tò phỏp`), and was taken in as such."""
    path = tmp_path / "in.csv"
    for text in ("Sở Tư pháp", "Uỷ ban nhân dân xã Hữu Lũng", "Sở Nông nghiệp và Môi trường", "Phường Trần Phú"):
        path.write_bytes(b"code,name\n" + bytes(_viscii_byte(c) for c in text) + b"\n")
        with pytest.raises(RefusedError, match="unknown_code"):
            encoding_of(path)


def _viscii_byte(letter: str) -> int:
    return ord(letter) if letter < "\x80" else 0x80 + VISCII.index(letter)


@pytest.mark.parametrize(("word", "fits"), [("pháp", 1), ("phảp", 0), ("phạt", 1), ("tìch", 0), ("Đắk", 1), ("Đăk", 1)])
def test_a_syllable_that_ends_in_a_stop_has_one_of_two_tones(word: str, fits: int) -> None:
    assert is_syllable(word) == bool(fits)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("S%E1%BB%9F T%C6%B0", "Sở Tư"),
        ("S=E1=BB=9F T=C6=B0", "Sở Tư"),
        ("S+Ht8 T+AbA- ph+AOE-p", "Sở Tư pháp"),
        ("+84912345678", ""),
        ("Zalo+Facebook", ""),
        ("C+/C++-", ""),
        ("100%20", ""),
        ("50% 30%", ""),
        ("=A1=B2", ""),
        ("%AB%CD", ""),
    ],
)
def test_letters_as_addresses_and_letters_bodies_write_them(text: str, meant: str) -> None:
    assert unescaped(text) == meant
