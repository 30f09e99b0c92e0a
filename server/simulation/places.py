"""Who serves in a generated province: departments as they are since 2025, communes and wards, and districts where a
province of three tiers is asked for. No name belongs to a place that exists."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.text import without_marks

COMMUNES = 100
MAX_COMMUNES = 200

DEPARTMENTS: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    ("so-noi-vu", "Sở Nội vụ", "Department of Home Affairs", (15, 5)),
    ("so-tu-phap", "Sở Tư pháp", "Department of Justice", (1, 4)),
    ("so-tai-chinh", "Sở Tài chính", "Department of Finance", (2, 11)),
    ("so-cong-thuong", "Sở Công Thương", "Department of Industry and Trade", (12,)),
    ("so-nong-nghiep", "Sở Nông nghiệp và Môi trường", "Department of Agriculture and Environment", (3, 10)),
    ("so-xay-dung", "Sở Xây dựng", "Department of Construction", (6, 7)),
    ("so-van-hoa", "Sở Văn hóa, Thể thao và Du lịch", "Department of Culture, Sport and Tourism", (13,)),
    ("so-khoa-hoc", "Sở Khoa học và Công nghệ", "Department of Science and Technology", (14, 16)),
    ("so-giao-duc", "Sở Giáo dục và Đào tạo", "Department of Education and Training", (9,)),
    ("so-y-te", "Sở Y tế", "Department of Health", (8,)),
    ("so-dan-toc", "Sở Dân tộc và Tôn giáo", "Department of Ethnic and Religious Affairs", (19,)),
    ("cong-an-tinh", "Công an tỉnh", "Provincial Police", (17,)),
    ("bao-hiem-xa-hoi", "Bảo hiểm xã hội tỉnh", "Provincial Social Insurance", (18,)),
    (
        "bql-khu-cong-nghiep",
        "Ban Quản lý các khu kinh tế, khu công nghiệp và khu công nghệ cao",
        "Authority of the Economic, Industrial and High-Technology Zones",
        (2, 6),
    ),
)
"""Code, Vietnamese, English, service groups."""
_DISTRICTS = ("Thành phố Mẫu", "Huyện Sông Xanh", "Huyện Núi Cao", "Huyện Đồng Bằng", "Huyện Rừng Thọ", "Huyện Hồ Lớn")
LOCAL_GROUPS = (1, 3, 5, 6, 17)
"""Service groups of a district, a commune, a ward."""
_FIRST = ("Sông", "Núi", "Cầu", "Hồ", "Đồi", "Suối", "Rừng", "Bến", "Đồng", "Đầm")
_SECOND = ("Xanh", "Cao", "Sen", "Thọ", "Mây", "Trúc", "Vàng", "Ngọc", "Trắng", "Lớn")
_THIRD = ("", "Đông")
_IN_TOWN = frozenset({"Cầu", "Bến"})


@dataclass(frozen=True, slots=True)
class PlaceName:
    """One agency to be. `rank`: 1 the province. `branches`: reception points at the seats of communes that were
    merged into it, each a counter."""

    code: str
    vi: str
    en: str
    groups: tuple[int, ...]
    rank: int
    official_code: str
    counters: int = 2
    branches: int = 0

    def counter_names(self) -> list[tuple[str, str, str]]:
        """Code, Vietnamese and English of every counter: those at the seat, then one at each branch."""
        return [
            *((f"quay-{n}", f"Quầy {n}", f"Counter {n}") for n in range(1, self.counters + 1)),
            *(
                (f"diem-{n}", f"Điểm tiếp nhận {n} (trụ sở xã cũ)", f"Branch {n} (seat of a former commune)")
                for n in range(1, self.branches + 1)
            ),
        ]


def place_names(communes: int, tiers: int) -> list[PlaceName]:
    """The agencies of a generated province of 2 or 3 tiers, in order of level."""
    found = [
        PlaceName(code, vi, en, groups, 1, f"H99.{number:02d}")
        for number, (code, vi, en, groups) in enumerate(DEPARTMENTS, start=1)
    ]
    if tiers == 3:
        found += [
            PlaceName(_code(vi), vi, vi.partition(" ")[2] + " District", LOCAL_GROUPS, 2, f"H99.{50 + number}", 3)
            for number, vi in enumerate(_DISTRICTS, start=1)
        ]
    for number in range(communes):
        first = _FIRST[number % 10]
        ward = first in _IN_TOWN
        name = " ".join(filter(None, (first, _SECOND[number // 10 % 10], _THIRD[number // 100])))
        vi = f"{'Phường' if ward else 'Xã'} {name}"
        en = f"{name} {'Ward' if ward else 'Commune'}"
        official = f"H99.90.{number + 1:02d}"
        found.append(PlaceName(_code(vi), vi, en, LOCAL_GROUPS, tiers, official, 2, number % 3))
    return found


def _code(name: str) -> str:
    return without_marks(name).replace(" ", "-")
