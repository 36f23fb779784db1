"""What every subscriber of the page has to print of a scene, and what it must not."""

import json
from collections import defaultdict

from tests.strangers.scene import END, PUBLISHED, Scene


def check_lines(lines: list[str], played: Scene) -> None:
    """Every event and result once, byte for byte, in the order of its subject, nothing of what was aborted."""
    expected = [value for topic in PUBLISHED for value in played.values[topic]]
    assert sorted(lines) == sorted(expected)
    numbers = defaultdict(list)
    for line in lines:
        event = json.loads(line)
        numbers[event["subject"]].append(event.get("sequence"))
    for subject, sequences in numbers.items():
        if None not in sequences:
            assert sequences == list(range(1, len(sequences) + 1)), subject
    assert any("superseded" in line for line in lines), "bindings were among them"
    assert not any("came to nothing" in line for line in lines)
    assert len([line for line in lines if END in line]) == len(PUBLISHED) * played.deployment.settings.topics.partitions


def check_answers(played: Scene, organizations: tuple[str, ...], command: str) -> None:
    """The command of this id was accepted, wherever it was sent, and has brought about its events."""
    for organization in organizations:
        answer = played.answers[f"{organization}/{command}"]
        assert answer["type"] == "billing.command.accepted.v1", answer
        kinds = [event["type"] for event in answer["data"]["events"]]
        assert kinds == ["billing.account.created.v1", "billing.account.phase-changed.v1"]
