"""Survey instruments as data: what is asked, in which order, on which scale, and what counts as a valid answer.

An instrument is one TOML file, versioned; a rating names its instrument and version for ever (`wire_code`). A new
instrument is a new file: no code.
"""

from pipeline.instruments.consistency import find_problems
from pipeline.instruments.flags import RatingFlag
from pipeline.instruments.instrument import (
    DONT_KNOW,
    NOT_APPLICABLE,
    OVERALL,
    Block,
    Choice,
    Factor,
    Instrument,
    Item,
    KioskQuestion,
    Pooling,
    Reason,
    ScalePoint,
    Validity,
    Worded,
)
from pipeline.instruments.kinds import KINDS, WITHOUT_NAMES, WITHOUT_VALUES, Kind
from pipeline.instruments.library import (
    ServiceGroup,
    instrument_bytes,
    load_by_wire_code,
    load_instrument,
    load_service_groups,
    shipped_instruments,
    use_folder,
)
from pipeline.instruments.reading import make_instrument, parse_instrument
from pipeline.instruments.validation import NO_MORE, Problem, ProblemKind, Sheet, check_answers, drop_unasked, kept_more

__all__ = [
    "DONT_KNOW",
    "KINDS",
    "NOT_APPLICABLE",
    "NO_MORE",
    "OVERALL",
    "WITHOUT_NAMES",
    "WITHOUT_VALUES",
    "Block",
    "Choice",
    "Factor",
    "Instrument",
    "Item",
    "Kind",
    "KioskQuestion",
    "Pooling",
    "Problem",
    "ProblemKind",
    "RatingFlag",
    "Reason",
    "ScalePoint",
    "ServiceGroup",
    "Sheet",
    "Validity",
    "Worded",
    "check_answers",
    "drop_unasked",
    "find_problems",
    "instrument_bytes",
    "kept_more",
    "load_by_wire_code",
    "load_instrument",
    "load_service_groups",
    "make_instrument",
    "parse_instrument",
    "shipped_instruments",
    "use_folder",
]
