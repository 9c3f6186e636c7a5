"""A bundle that lacks a task answers the others, and says nothing of that one anywhere."""

from pathlib import Path

import pytest

from tests.service.session_fixtures import contents, cut, heard, started, wire
from tests.tiny_bundle import NAME
from tests.voices import conversation
from undertone_client.lines import line
from undertone_export.bundle import write_manifest
from undertone_service.bundle.streaming import GRAPHS, StreamingBundle
from undertone_service.protocol.messages import SERVER_MESSAGE


def bundle_without(task: str, folder: Path, source: Path) -> StreamingBundle:
    for graph in GRAPHS:
        (folder / graph).write_bytes((source / graph).read_bytes())
    manifest = StreamingBundle(source).manifest
    tasks = tuple(name for name in manifest.tasks if name != task)
    write_manifest(manifest.model_copy(update={"tasks": tasks}), folder)
    return StreamingBundle(folder)


@pytest.mark.parametrize("task", ["emotion", "gender", "age"])
async def test_its_answer_is_null_everywhere(task: str, bundle_folder: Path, tmp_path: Path) -> None:
    bundle = bundle_without(task, tmp_path, bundle_folder / NAME)
    session, greeting = await started(bundle, {"sample_rate": "16000", "encoding": "s16le"})
    messages = greeting + await heard(session, cut(wire(conversation()), [64_000]))
    said = contents(messages)
    assert task not in said[0]["bundle"]["tasks"]
    answers = [m for m in said if m["type"] in ("result", "utterance")] + said[-1]["channels"]
    assert len(answers) > 10
    assert all(answer[task] is None for answer in answers)
    for other in {"emotion", "gender", "age"} - {task}:
        assert any(answer[other] is not None for answer in answers)
    assert bool(said[-1]["channels"][0]["emotion_thirds"]) == (task != "emotion")
    for message in messages:
        assert line(SERVER_MESSAGE.validate_json(message.model_dump_json()))
