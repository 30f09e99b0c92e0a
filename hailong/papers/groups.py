"""What cards and configurations name, in words of the papers: cards are in English, settings are codes."""

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
TASKS = {
    "face detection": Message("finds faces"),
    "face landmarks and tracking": Message("finds the points of a face"),
    "face affect": Message("reads the expression of a face"),
    "speech affect": Message("reads the tone of a voice"),
    "voice activity": Message("finds speech"),
    "speech recognition": Message("recognises words"),
    "words": Message("reads the sentiment of words"),
}
"""A card's task -> what a paper says."""
LICENCES = {
    "Apache-2.0 for the weights as far as this project may grant it; the data's terms limit their use": Message(
        "Apache-2.0 as far as it may be granted; the training data's terms limit the use to research"
    ),
}
"""A card's licence that is a sentence -> what a paper says; a licence with a name stands for itself."""
MEASURED = {
    "wrong among what is answered, held-out faces": Message("wrong among the faces that it answers for"),
    "answered, held-out faces": Message("faces that it answers for, the others are left out"),
    "accuracy over eight classes": Message("right among eight expressions"),
    "AUC of a smile against the rest": Message("of a smile and another expression, how often it finds the smile (AUC)"),
    "AUC neutral/negative": Message("of a negative and a neutral face, how often it finds the negative one (AUC)"),
    "UAR of arousal, mean over corpora left out in turn": Message(
        "calm or aroused, right on average of both (UAR), recordings left out"
    ),
    "UAR of valence, mean over corpora left out in turn": Message(
        "negative or not, right on average of both (UAR), recordings left out"
    ),
    "accuracy on own, counter": Message("right of sentences at a counter"),
    "accuracy on own, 120 of a third writer, who wrote none of the training": Message(
        "right of the sentences of a writer who is new to it"
    ),
}
"""A card's measure, with what it was measured on where the card measures the same on several -> what a paper says."""
VISITS_BY = {
    "presence": Message("the box, as somebody comes and leaves"),
    "queue": Message("the queue system's calls"),
}
"""A setting of `[visit] by` -> what a paper says."""
