"""Survey instruments as data: what is asked, in which order, on which scale, and what counts as a valid answer.

An instrument is one TOML file, versioned; a rating names its instrument and version for ever (`wire_code`). A new
instrument is a new file: no code.
"""

from pipeline.instruments.flags import RatingFlag
from pipeline.instruments.instrument import (
    OVERALL,
    Factor,
    Instrument,
    Item,
    KioskQuestion,
    Pooling,
    Reason,
    ScalePoint,
    Text,
    Validity,
    parse_instrument,
)
from pipeline.instruments.library import (
    ServiceGroup,
    instrument_bytes,
    load_by_wire_code,
    load_instrument,
    load_service_groups,
    shipped_instruments,
    use_folder,
)
from pipeline.instruments.validation import Problem, ProblemKind, check_answers, drop_unasked

__all__ = [
    "OVERALL",
    "Factor",
    "Instrument",
    "Item",
    "KioskQuestion",
    "Pooling",
    "Problem",
    "ProblemKind",
    "RatingFlag",
    "Reason",
    "ScalePoint",
    "ServiceGroup",
    "Text",
    "Validity",
    "check_answers",
    "drop_unasked",
    "instrument_bytes",
    "load_by_wire_code",
    "load_instrument",
    "load_service_groups",
    "parse_instrument",
    "shipped_instruments",
    "use_folder",
]
