"""A tampered, cut or forked log is named as what it is; epsilon is recomputed from the log."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from hailong.cli import main
from pipeline import wire
from pipeline.audit.budget import audit_budget
from pipeline.audit.log import audit_log
from pipeline.audit.sources import head_line, read_store
from pipeline.errors import LogError, StoreError
from pipeline.framing import pad
from pipeline.release_kind import PULSE
from pipeline.transparency.leaves import Leaf, RefusalLeaf, Refused, ReleaseLeaf, decode_leaf, encode_leaf
from tests.privacy.bench import Bench

DAY_S = 86_400.0


class Kept:
    """A box that has run for a month, its sender's record, and the heads that the server kept."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.bench.curator.close()
        self.bench.start()
        self.record = folder / "sent.frames"
        self.heads = folder / "heads.jsonl"
        sequence = 0
        with self.record.open("ab") as record, self.heads.open("a") as heads:
            for day in range(31):
                self.bench.count(day % 5)
                self.bench.pass_time(DAY_S)
                for staged in self.bench.curator.pending():
                    sequence += 1
                    message = staged.build(1, sequence, 0)
                    for _ in range(1 + sequence % 2):  # some are sent again
                        record.write(pad(wire.encode(message)))
                    if isinstance(message, wire.TreeHead):
                        heads.write(head_line(message) + "\n")
                    self.bench.curator.confirm(staged.number)
        self.bench.curator.close()
        self.store = self.bench.path
        self.key = self.bench.keys.signing_public

    def change(self, statement: str, *values: object) -> None:
        """Somebody with the disk changes the store."""
        database = sqlite3.connect(self.store)
        database.execute(statement, values)
        database.commit()
        database.close()

    def leaf(self, number: int) -> Leaf:
        (_, data) = read_store(self.store).leaves[1][number]
        return decode_leaf(data)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def names(problems: Sequence[str]) -> set[str]:
    return {problem.split(":")[0] for problem in problems}


def test_a_whole_log_holds(kept: Kept) -> None:
    verdict = audit_log(kept.store, [kept.heads, kept.record], kept.key)
    assert verdict.problems == []
    assert verdict.facts["leaves"] == 34
    assert verdict.facts["outside_heads"] > 60
    assert verdict.facts["inclusion_proofs_verified"] == 34
    assert verdict.facts["consistency_proofs_verified"] >= 30


def test_a_changed_leaf_is_named(kept: Kept) -> None:
    leaf = kept.leaf(10)
    assert isinstance(leaf, ReleaseLeaf)
    changed = encode_leaf(msgspec.structs.replace(leaf, epsilon_milli=1))
    kept.change("UPDATE leaf SET data = ? WHERE number = 10", changed)
    assert names(audit_log(kept.store, [kept.heads], kept.key).problems) == {"ALTERED"}


def test_a_leaf_that_is_no_leaf_is_named(kept: Kept) -> None:
    kept.change("UPDATE leaf SET data = ? WHERE number = 10", b"\x93rubbish")
    problems = audit_log(kept.store, [], kept.key).problems
    assert "ALTERED: leaf 10 of epoch 1 is none that a box writes" in problems


def test_a_cut_end_is_named(kept: Kept) -> None:
    kept.change("DELETE FROM leaf WHERE number >= 20")
    assert names(audit_log(kept.store, [], kept.key).problems) == {"CUT"}
    kept.change("DELETE FROM head WHERE size > 20")  # its own heads are cut, too: only those kept elsewhere tell
    assert audit_log(kept.store, [], kept.key).holds
    assert names(audit_log(kept.store, [kept.heads], kept.key).problems) == {"CUT"}


def test_a_missing_middle_is_named(kept: Kept) -> None:
    kept.change("DELETE FROM leaf WHERE number = 7")
    problems = audit_log(kept.store, [kept.heads], kept.key).problems
    assert "CUT: epoch 1 lacks leaves [7]" in problems


def test_a_second_history_of_the_same_box_is_named(kept: Kept, tmp_path: Path) -> None:
    """The box's key signs another history on a copy of the disk: the officer has the one, the server the other."""
    copy = tmp_path / "copy"
    copy.mkdir()
    early = Bench(copy)
    early.curator.close()
    for path in copy.iterdir():
        path.unlink()
    early.keys = kept.bench.keys
    early.start()
    for _ in range(31):
        early.pass_time(DAY_S)
    early.curator.close()
    assert audit_log(early.path, [], kept.key).holds
    problems = audit_log(early.path, [kept.heads], kept.key).problems
    assert names(problems) == {"FORKED"}


def test_a_rewritten_log_without_its_own_heads_is_altered(kept: Kept) -> None:
    kept.change("DELETE FROM head")
    kept.change(
        "UPDATE leaf SET data = ? WHERE number = 5",
        encode_leaf(RefusalLeaf(PULSE, wire.PeriodKind.DAY, 1, 1, Refused.BUDGET)),
    )
    assert names(audit_log(kept.store, [], kept.key).problems) == {"UNSIGNED"}
    assert names(audit_log(kept.store, [kept.heads], kept.key).problems) == {"ALTERED"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM head", "UNSIGNED: no head covers any of"),
        ("DELETE FROM head WHERE size = (SELECT max(size) FROM head)", "UNSIGNED: no head covers the release at leaf"),
    ],
)
def test_leaves_that_nobody_signed_do_not_pass(kept: Kept, statement: str, expected: str) -> None:
    kept.change(statement)
    problems = audit_log(kept.store, [], None).problems
    assert problems
    assert all(problem.startswith(expected) for problem in problems)


def test_another_key_signs_nothing(kept: Kept) -> None:
    problems = audit_log(kept.store, [], bytes(32)).problems
    assert {"FORKED", "UNSIGNED"} <= names(problems)


def test_the_servers_store_is_read(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "server.sqlite3"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE tree_heads (id INTEGER PRIMARY KEY, box_id, epoch, size, root, signature)")
    for line in kept.heads.read_text().splitlines():
        entry = json.loads(line)
        database.execute(
            "INSERT INTO tree_heads (box_id, epoch, size, root, signature) VALUES (7, ?, ?, ?, ?)",
            (entry["epoch"], entry["size"], entry["root"], entry["signature"]),
        )
    database.commit()
    database.close()
    assert audit_log(kept.store, [path], kept.key, box=7).facts["outside_heads"] == 31
    assert audit_log(kept.store, [path], kept.key, box=8).facts["outside_heads"] == 0


def test_a_proof_travels_alone(kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = kept.bench.keys.signing_public_z85
    assert main(["audit", "log", str(kept.store), "--prove", "12"]) == 0
    proof = tmp_path / "proof.json"
    proof.write_text(capsys.readouterr().out)
    assert main(["audit", "log", "--check-proof", str(proof), "--key", key, "--json"]) == 0
    assert "release pulse 2026-11" in json.loads(capsys.readouterr().out)["facts"]["entry"]
    entry = json.loads(proof.read_text())
    entry["index"] = 11
    proof.write_text(json.dumps(entry))
    assert main(["audit", "log", "--check-proof", str(proof), "--key", key]) == 1
    with pytest.raises(LogError):
        audit_proof_of_nothing(kept)


def audit_proof_of_nothing(kept: Kept) -> None:
    from pipeline.audit.proof import make_proof

    make_proof(kept.store, 99)


# -- budget


def test_the_budget_is_recomputed(kept: Kept) -> None:
    verdict = audit_budget(kept.store, [kept.record])
    assert verdict.problems == []
    assert verdict.facts["worst_visit_epsilon"] == 2.0
    assert verdict.facts["releases"] == {"pulse": 31, "evidence": 1}
    assert verdict.facts["sent_releases_found_in_log"] >= 32


def test_a_second_noise_is_seen_in_the_log(kept: Kept) -> None:
    leaf = kept.leaf(10)
    kept.change("INSERT INTO leaf VALUES (1, 34, ?)", encode_leaf(leaf))
    problems = audit_budget(kept.store).problems
    assert any("was released 2 times" in problem for problem in problems)


def test_a_dear_release_is_seen(kept: Kept) -> None:
    leaf = kept.leaf(33)
    dear = [number for number in range(34) if isinstance(kept.leaf(number), ReleaseLeaf)][5]
    leaf = kept.leaf(dear)
    assert isinstance(leaf, ReleaseLeaf)
    kept.change(
        "UPDATE leaf SET data = ? WHERE number = ?", encode_leaf(msgspec.structs.replace(leaf, epsilon_milli=900)), dear
    )
    assert any("the budget is 2" in problem for problem in audit_budget(kept.store).problems)


def test_a_release_past_the_log_is_seen(kept: Kept) -> None:
    with kept.record.open("ab") as record:
        other = wire.Pulse(1, 1, 900, 5, wire.PeriodKind.DAY, 2_496, 500, (1, 2, 3, 4))
        record.write(pad(wire.encode(other)))
    problems = audit_budget(kept.store, [kept.record]).problems
    assert [problem for problem in problems if "not in the log" in problem]


# -- commands


def test_commands_exit_with_the_verdict(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    key = kept.bench.keys.signing_public_z85
    assert main(["audit", "log", str(kept.store), "--heads", str(kept.heads), f"--key={key}"]) == 0
    assert "VERDICT: holds." in capsys.readouterr().out
    assert main(["audit", "budget", str(kept.store), "--sent", str(kept.record), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["holds"] is True
    kept.change("DELETE FROM leaf WHERE number = 7")
    assert main(["audit", "log", str(kept.store)]) == 1
    assert "VERDICT: does not hold (" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no data base", b"SQLite format 3\0" + bytes(200)])
def test_what_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "release.sqlite3"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        audit_log(path, [], None)
    shutil.rmtree(tmp_path)
    assert main(["audit", "log", str(path)]) == 1
