"""What a figure means, in two sentences for whoever reads it the first time; it stands beside the figure."""

from __future__ import annotations

from pipeline.language import Message

HELPS: dict[str, Message] = {
    "sipas": Message(
        "Of 100 answers to the criteria, so many were “satisfied” or “very satisfied”. In brackets: where the figure "
        "of all citizens lies with 95 % confidence; with more sheets it becomes narrower. No emotion enters it."
    ),
    "change": Message(
        "“Rises” or “falls” is said only where chance alone would hardly make such a difference (5 in 100). “No "
        "difference seen” does not mean that nothing changed: the sheets are too few to tell."
    ),
    "low": Message(
        "The agency's figure lies below the province's by more than chance explains, with all agencies judged at once. "
        "It says that there is something to look for, not whose fault it is."
    ),
    "falling": Message(
        "The agency's own figure fell by more than chance explains, against last period or a year ago. Look first at "
        "what changed there: procedures, staff, mergers, moved counters."
    ),
    "few": Message(
        "Figures of fewer sheets than the setting says are not shown: they would be about single persons, and mostly "
        "chance. More sheets help: the tablet, links, QR codes on receipts."
    ),
    "score766": Message(
        "Points of the satisfaction group of Decision 766 (0 to 18): dossiers in time and without complaint, petitions "
        "answered in time, and answered well. In brackets: what the counts support."
    ),
    "signal": Message(
        "What the noisy count tables of the boxes add to the overall question of the sheets. It never enters the "
        "official index; where it adds nothing or misleads, that is said."
    ),
    "reasons": Message(
        "Of those whose overall answer was “neutral” or worse, so many per cent ticked the reason; one may tick "
        "several. In brackets: the 95 % interval."
    ),
    "rho": Message(
        "Correlation of rating and calibrated signal: 0 means that the signal tells nothing of the rating, 1 "
        "everything. Below about 0.25 it adds nothing."
    ),
    "heat": Message(
        "Each cell is the index of an agency in a criterion; darker is lower. Compare cells of a column first: some "
        "criteria are lower everywhere."
    ),
    "weighted": Message(
        "The figure as it would be if every service had as many sheets as its share of the finished transactions. It "
        "needs the transactions of the period."
    ),
    "adjusted": Message(
        "The figure as it would be with the province's mix of channels: people answer more kindly to a person than to "
        "a page. A rough guide, least of all near 100."
    ),
    "channels": Message(
        "How much higher or lower citizens of the same agencies answer on this channel. It mixes the manner of asking "
        "with who answers there, so it judges no channel."
    ),
    "drivers": Message(
        "Of what the criteria together explain of the overall answer, each factor's share. A large share says where a "
        "change goes with contentment, not that it makes it."
    ),
    "estimates": Message(
        "Explicit: from sheets alone. Fused: sheets and the implicit signal together, where the sheets say that it "
        "helps. Saved: so many more sheets would have made the interval as narrow."
    ),
    "curve": Message(
        "Of visits of each implicit level, the share that then rated “satisfied”. A flat curve means that the level "
        "tells nothing."
    ),
    "questions": Message(
        "Of those who were asked and answered, so many per cent chose each answer; who said “does not concern me” is "
        "counted beside. In brackets: the 95 % interval."
    ),
}
