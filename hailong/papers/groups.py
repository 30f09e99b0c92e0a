"""The groups of people and the measures that cards name, in words of the papers: cards are in English."""

from __future__ import annotations

from pipeline.language import Message

GROUPS = {
    "light pictures of skin": Message("pictures of light skin, or in much light"),
    "intermediate pictures of skin": Message("pictures of skin of intermediate tone"),
    "tan pictures of skin": Message("pictures of tanned skin"),
    "dark pictures of skin": Message("pictures of dark skin, or in little light"),
    "women, English": Message("women, speaking English"),
    "men, English": Message("men, speaking English"),
    "women, Amharic": Message("women, speaking Amharic"),
    "men, Amharic": Message("men, speaking Amharic"),
}
"""A card's `group` -> what a paper says."""
MEASURES = {
    "recall of negative": Message("negative faces that are found"),
    "neutral called negative": Message("neutral faces that are called negative"),
    "calm voices called aroused": Message("calm voices that are called aroused"),
    "voices that are not negative called negative": Message("voices that are not negative and are called so"),
}
"""A card's measure of a group -> what a paper says."""
