"""What the audits' figures are called, and what they say that they cannot check; their results are files in English."""

from __future__ import annotations

from pipeline.language import Message

FIGURES = {
    "about_one_visit_evidence": Message("about one visit evidence"),
    "about_one_visit_pulse": Message("about one visit pulse"),
    "about_one_visit_replace_one": Message("about one visit replace one"),
    "about_one_visit_together": Message("about one visit together"),
    "addresses_contacted": Message("addresses contacted"),
    "addresses_listened_at": Message("addresses listened at"),
    "attacks": Message("attacks"),
    "budget_epsilon": Message("budget epsilon"),
    "by_kind": Message("by kind"),
    "calls": Message("calls"),
    "cells": Message("cells"),
    "canaries": Message("canaries"),
    "capacity_bits": Message("capacity bits"),
    "claims": Message("claims"),
    "confidence": Message("confidence"),
    "consistency_proofs_verified": Message("consistency proofs verified"),
    "counter": Message("guesses at which counter of a pool a visit was"),
    "differencing": Message("differencing"),
    "distinct_epsilons_milli": Message("distinct epsilons milli"),
    "engine": Message("attacks on the engine: how many cells one visit changes"),
    "entries": Message("entries"),
    "epochs": Message("epochs"),
    "face_was_found": Message("face was found"),
    "files_searched": Message("files searched"),
    "files_written": Message("files written"),
    "found_during_the_visit": Message("found during the visit"),
    "found_when_it_had_ended": Message("found when it had ended"),
    "found_with_the_counter_empty": Message("found with the counter empty"),
    "inclusion_proofs_verified": Message("inclusion proofs verified"),
    "leaves": Message("leaves"),
    "level_guess_before": Message("level guess before"),
    "level_guess_knowing_rating_and_all_others": Message("level guess knowing rating and all others"),
    "lower_bounds": Message("lower bounds"),
    "messages": Message("messages"),
    "messages_sent": Message("messages sent"),
    "mutant_with_a_pool_for_each_counter": Message("mutant with a pool for each counter"),
    "mutant_with_half_the_noise": Message("mutant with half the noise"),
    "needles": Message("needles"),
    "outside_heads": Message("outside heads"),
    "own_heads": Message("own heads"),
    "periods_refused": Message("periods refused"),
    "pools": Message("pools"),
    "provinces": Message("provinces"),
    "releases": Message("releases"),
    "schema_version": Message("schema version"),
    "seen_by": Message("seen by"),
    "sent_again": Message("sent again"),
    "sent_releases_found_in_log": Message("sent releases found in log"),
    "visit_level_was_inferred": Message("visit level was inferred"),
    "visits": Message("visits"),
    "worst_visit_epsilon": Message("worst visit epsilon"),
    "worst_visit_epsilon_replace_one": Message("worst visit epsilon replace one"),
}
"""Name of a figure -> what it is."""

SENTENCES = frozenset(
    {
        Message("the signature: give the box's key with --key."),
        Message(
            "a log that was rewritten as a whole together with its own heads: give heads that the "
            "server kept (--heads)."
        ),
        Message("that the signing key is the enrolled one: give it with --key."),
        Message("that nothing was sent past the log: see hailong audit budget with a record, and audit trace."),
        Message("what was sent by another program or while nothing was recorded: see hailong audit trace."),
        Message(
            "that the program that runs on the box is this one (compare the bundle's signature and "
            "the log's leaves of models);"
        ),
        Message(
            "that a dishonest box does not hide signals in noise or nonces: the schema bounds the "
            "room, not the intention."
        ),
        Message("that the noise had the logged scale: see hailong audit attack;"),
        Message(
            "that one visit was counted once, in one pool: a visit that the tracker splits counts as several, and a "
            "person with k visits, or at k counters, pays k times;"
        ),
        Message("ratings, which are voluntary answers and outside the budget."),
        Message(
            "that epsilon is no larger than the claim: an attack gives a lower bound, the proof gives the upper one;"
        ),
        Message(
            "a server that, together with whoever restores an old disk, tells the box an old tree "
            "head (docs/privacy.md)."
        ),
        Message(
            "other forms than those listed, such as activations inside a network, from which a "
            "picture might be reconstructed;"
        ),
        Message(
            "pages that were swapped out, the graphics processor's memory, the camera's and the kernel's own buffers;"
        ),
        Message(
            "the threads of capture, and speech recognition itself, unless its weights are there: "
            "the sentence is fed in after it."
        ),
        Message("the sentence: the weights that read sentences are not there."),
        Message("what another clip, a longer time or another configuration would do;"),
        Message(
            "a picture or sound in a form that is not searched for, such as encrypted: the sealed "
            "running month is bounded by its constant size."
        ),
        Message("files and sockets of native libraries, ZeroMQ's too: install strace and repeat."),
    }
)
"""What is not checked, word for word as the audits write it."""
