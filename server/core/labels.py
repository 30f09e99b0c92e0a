"""Names that pages, reports and files show, in Vietnamese and English."""

from __future__ import annotations

from pipeline.language import Message

POOLING_NAMES: dict[str, Message] = {
    "pooled_answers": Message("all answers to the criteria pooled"),
    "mean_of_indicators": Message("plain mean of the criteria"),
    "weighted_factors": Message("weighted mean of the factors"),
    "weighted_blocks": Message("weighted mean of the blocks"),
    "overall_question": Message("the overall question alone"),
}
DIMENSION_NAMES: dict[str, Message] = {
    "province": Message("Whole province"),
    "agency": Message("Agency"),
    "level": Message("Level"),
    "field": Message("Field"),
    "service_group": Message("Service group"),
    "service": Message("Service"),
    "channel": Message("Channel"),
    "month": Message("Month"),
}
INSTRUMENT_PARTS: dict[str, Message] = {
    "items": Message("criteria"),
    "pooling": Message("pooling of the whole"),
    "factors.weight": Message("weights of the factors"),
    "blocks.weight": Message("weights of the blocks"),
    "scale": Message("the scale"),
    "validity": Message("rules of validity"),
    "kiosk": Message("the tablet's questions"),
    "short": Message("the short form"),
    "reasons": Message("reasons of dissatisfaction"),
}
"""Parts of an instrument that may be recalled and not confirmed in a text."""
FEEDBACK_CATEGORIES: dict[str, Message] = {
    "procedure": Message("Procedure, dossier"),
    "attitude": Message("Attitude"),
    "delay": Message("Delay"),
    "cost": Message("Costs beyond the fee"),
    "facility": Message("Facilities"),
    "other": Message("Other"),
}
FEEDBACK_STATES: dict[str, Message] = {
    "received": Message("Received"),
    "forwarded": Message("Forwarded"),
    "supplement": Message("More asked for"),
    "answered": Message("Answered"),
    "rejected": Message("Not within competence"),
}
ROLE_NAMES: dict[str, Message] = {
    "administrator": Message("Administrator"),
    "data_entry": Message("Data entry"),
    "analyst": Message("Analyst"),
    "privacy_officer": Message("Privacy officer"),
    "agency_reader": Message("Agency reader"),
}
COMMENT_CODES: dict[str, Message] = {
    "shorter_time": Message("Shorter time"),
    "online": Message("More online services"),
    "attitude": Message("Better attitude"),
    "skills": Message("Better skilled staff"),
    "information": Message("Better information"),
    "facilities": Message("Better facilities"),
    "simpler_dossier": Message("Simpler dossiers"),
    "lower_cost": Message("Lower fees"),
    "feedback": Message("Better handling of feedback"),
    "other": Message("Other"),
}
PLAN_WORDS: dict[str, Message] = {
    "province": Message("the province"),
    "level": Message("each level"),
    "agency": Message("each agency"),
    "proportional": Message("by transactions"),
    "neyman": Message("Neyman, with cost"),
}
IMPORT_FIGURES: dict[str, Message] = {
    "rows": Message("rows in the file"),
    "added": Message("added"),
    "existing": Message("already in the store"),
    "changed": Message("changed"),
    "unchanged": Message("unchanged"),
    "set_aside": Message("set aside as suspicious"),
    "by_agency": Message("by agency"),
}
IMPORT_KINDS: dict[str, Message] = {
    "ratings": Message("answer sheets"),
    "transactions": Message("transactions (sampling frame)"),
    "margins": Message("known margins of the population (age, sex)"),
    "indicators766": Message("Decision 766: counts of the national portal"),
    "scores61": Message("quarterly sheet 61: points"),
    "levels": Message("levels"),
    "fields": Message("fields"),
    "agencies": Message("agencies"),
    "successors": Message("successors of agencies (mergers)"),
    "counters": Message("counters"),
    "service_groups": Message("service groups"),
    "services": Message("services"),
    "enumerators": Message("enumerators"),
    "phones": Message("phone numbers to ask"),
}
