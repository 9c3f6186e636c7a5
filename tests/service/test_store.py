"""The voice store: tenants kept apart, durable at once, current in memory, and gone after a deletion."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.store.database import connect, migrate
from undertone_service.store.store import VoiceStore
from undertone_service.store.tables import Base, SpeakerRow
from undertone_service.store.voices import MAX_VOICEPRINT, Recording, checked, combine


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'voices' / 'undertone.db'}"


def sample(seed: int = 0, *, speech: float = 5.0, size: int = 192) -> VoiceSample:
    vector = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return VoiceSample(vector / np.linalg.norm(vector), speech, -20.0, 25.0, 0.0, 8000)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[VoiceStore]:
    store = await VoiceStore.open(url(tmp_path))
    yield store
    await store.close()


async def enrol(store: VoiceStore, speaker: str, *samples: VoiceSample, tenant: str = "default") -> None:
    await store.create_speaker(tenant, f"{speaker}'s name", consent_by="a form", speaker_id=speaker)
    for voice in samples:
        await store.add_enrollment(tenant, speaker, "digest", voice)


async def test_a_speaker_is_kept_as_given(store: VoiceStore) -> None:
    created = await store.create_speaker("default", "Ann", consent_by="the desk, on paper")
    assert await store.speaker("default", created.id) == created
    assert (created.name, created.consent_by, created.enrollments) == ("Ann", "the desk, on paper", {})
    assert created.created_at.endswith("+00:00")


async def test_an_id_is_taken_once_in_each_tenant(store: VoiceStore) -> None:
    await enrol(store, "ann")
    with pytest.raises(UndertoneError) as refusal:
        await enrol(store, "ann")
    assert refusal.value.code is ErrorCode.CONFLICT
    await enrol(store, "ann", tenant="other")


async def test_pages_hold_everybody_once_in_order(store: VoiceStore) -> None:
    for name in ("eve", "ann", "dan", "bob", "cas"):
        await enrol(store, name, sample())
    seen, after = [], ""
    while True:
        page, following = await store.speakers("default", after=after, limit=2)
        seen += [speaker.id for speaker in page]
        assert all(speaker.enrollments == {"digest": 1} for speaker in page)
        if following is None:
            break
        after = following
    assert seen == ["ann", "bob", "cas", "dan", "eve"]
    assert await store.speakers("other") == ([], None)


async def test_the_voiceprint_is_the_mean_weighted_by_speech(store: VoiceStore) -> None:
    first, second = sample(1, speech=2.0), replace(sample(2, speech=6.0), bandwidth_hz=4000)
    await enrol(store, "ann", first, second)
    voice = await store.voiceprint("default", "ann", "digest")
    assert first.voiceprint is not None
    assert second.voiceprint is not None
    wanted = 2.0 * first.voiceprint + 6.0 * second.voiceprint
    np.testing.assert_allclose(voice.vector, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert (voice.speech, voice.bandwidth_hz) == (8.0, 4000)
    kept = await store.speaker("default", "ann")
    assert (kept.enrollments, kept.speech) == ({"digest": 2}, {"digest": 8.0})


@pytest.mark.parametrize(
    ("speaker", "tenant", "digest", "code"),
    [
        ("nobody", "default", "digest", ErrorCode.UNKNOWN_SPEAKER),
        ("ann", "other", "digest", ErrorCode.UNKNOWN_SPEAKER),
        ("ann", "default", "another", ErrorCode.NEEDS_REENROLMENT),
        ("silent", "default", "digest", ErrorCode.NEEDS_REENROLMENT),
    ],
)
async def test_a_voice_that_cannot_be_compared_is_refused(
    store: VoiceStore, speaker: str, tenant: str, digest: str, code: ErrorCode
) -> None:
    await enrol(store, "ann", sample())
    await enrol(store, "silent")
    with pytest.raises(UndertoneError) as refusal:
        await store.voiceprint(tenant, speaker, digest)
    assert refusal.value.code is code


async def test_the_gallery_is_always_current(store: VoiceStore) -> None:
    assert (await store.gallery("default", "digest")).ids == ()
    await enrol(store, "bob", sample(2))
    await enrol(store, "ann", sample(1))
    await enrol(store, "far", sample(3), tenant="other")
    gallery = await store.gallery("default", "digest")
    assert (gallery.ids, gallery.names) == (("ann", "bob"), ("ann's name", "bob's name"))
    for row, seed in zip(gallery.matrix, (1, 2), strict=True):
        assert float(row @ sample(seed).voiceprint) == pytest.approx(1.0, abs=1e-5)
    assert await store.gallery("default", "digest") is gallery
    assert (await store.gallery("default", "another")).ids == ()
    await store.delete_speaker("default", "ann")
    assert (await store.gallery("default", "digest")).ids == ("bob",)


async def test_listeners_hear_of_every_change_until_they_leave(store: VoiceStore) -> None:
    heard: list[tuple[str, str]] = []

    def deaf(tenant: str, speaker: str) -> None:
        raise RuntimeError("deaf")

    store.subscribe(deaf)
    leave = store.subscribe(lambda tenant, speaker: heard.append((tenant, speaker)))
    await enrol(store, "ann", sample())
    assert heard == [("default", "ann")]
    await store.delete_speaker("default", "ann")
    assert heard == [("default", "ann")] * 2
    leave()
    await enrol(store, "bob", sample())
    assert len(heard) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
async def test_bad_voiceprints_are_not_stored(store: VoiceStore, bad: float) -> None:
    await enrol(store, "ann", sample())
    broken = np.full(192, bad, np.float32)
    for voiceprint in (
        broken,
        np.zeros(192, np.float32),
        np.ones(64, np.float32),
        np.ones((1, 192), np.float32),
        None,
    ):
        with pytest.raises(UndertoneError) as refusal:
            await store.add_enrollment("default", "ann", "digest", replace(sample(), voiceprint=voiceprint))
        assert refusal.value.code is ErrorCode.BAD_AUDIO
    assert len(await store.enrollments("default", "ann")) == 1


async def test_only_known_speakers_are_changed(store: VoiceStore) -> None:
    await enrol(store, "ann", sample())
    for action in (
        store.delete_speaker("other", "ann"),
        store.delete_speaker("default", "nobody"),
        store.add_enrollment("other", "ann", "digest", sample()),
        store.enrollments("other", "ann"),
        store.speaker("other", "ann"),
    ):
        with pytest.raises(UndertoneError) as refusal:
            await action
        assert refusal.value.code is ErrorCode.UNKNOWN_SPEAKER
    assert len(await store.enrollments("default", "ann")) == 1


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_a_deleted_voice_is_nowhere_on_the_disk(store: VoiceStore, tmp_path: Path) -> None:
    voices = [sample(seed, size=size) for seed, size in enumerate([4000] * 3)]
    await enrol(store, "ann", *voices)
    await enrol(store, "bob", sample(9, size=4000))
    pieces = [
        recording.voiceprint.tobytes()[start : start + 32]
        for recording in await store.enrollments("default", "ann")
        for start in range(0, 16000 - 32, 1000)
    ]
    before = everything_on_disk(tmp_path)
    assert all(piece in before for piece in pieces[:4])
    await store.delete_speaker("default", "ann")
    after = everything_on_disk(tmp_path)
    assert not any(piece in after for piece in pieces)
    assert b"ann's name" not in after
    assert (await store.voiceprint("default", "bob", "digest")).speech == 5.0


async def test_a_deletion_while_others_read_still_forgets(store: VoiceStore, tmp_path: Path) -> None:
    await enrol(store, "ann", sample(1))
    piece = (await store.enrollments("default", "ann"))[0].voiceprint.tobytes()[:32]
    reads = [asyncio.create_task(store.gallery("default", "digest")) for _ in range(20)]
    await store.delete_speaker("default", "ann")
    await asyncio.gather(*reads)
    assert (await store.gallery("default", "digest")).ids == ()
    assert piece not in everything_on_disk(tmp_path)


async def test_what_a_crash_left_of_a_deletion_is_cleared_at_the_start(
    store: VoiceStore, tmp_path: Path
) -> None:
    await enrol(store, "ann", sample(1))
    piece = (await store.enrollments("default", "ann"))[0].voiceprint.tobytes()[:32]
    async with store._session.begin() as session:  # as delete_speaker, killed before its checkpoint
        await session.delete(await session.get_one(SpeakerRow, ("default", "ann")))
    assert piece in everything_on_disk(tmp_path)
    await (await VoiceStore.open(url(tmp_path))).close()
    assert piece not in everything_on_disk(tmp_path)


KILLED = """
import asyncio, sys
import numpy as np
from undertone_service.offline import VoiceSample
from undertone_service.store.store import VoiceStore

async def main():
    store = await VoiceStore.open(sys.argv[1])
    for number in range(100):
        speaker = f"s{number:03d}"
        await store.create_speaker("default", speaker, consent_by="a form", speaker_id=speaker)
        sample = VoiceSample(np.full(192, number + 1, np.float32), 5.0, -20.0, None, 0.0, 8000)
        await store.add_enrollment("default", speaker, "digest", sample)
        print(speaker, flush=True)

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, url(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    answered = [await process.stdout.readline() for _ in range(7)]
    process.kill()
    await process.communicate()
    assert answered[-1] == b"s006\n"
    store = await VoiceStore.open(url(tmp_path))
    for number in range(7):
        assert (await store.voiceprint("default", f"s{number:03d}", "digest")).speech == 5.0
    await store.close()


async def test_migrations_yield_the_tables(tmp_path: Path) -> None:
    engine = connect(url(tmp_path))
    await migrate(engine)
    await migrate(engine)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
        )
    await engine.dispose()
    assert differences == []
    assert all("tenant" in table.columns for table in Base.metadata.tables.values())


@given(
    arrays(np.float32, st.integers(1, 64), elements=st.floats(-1e6, 1e6, width=32)),
    st.lists(st.floats(0.5, 600), min_size=1, max_size=4),
)
def test_combining_a_voice_with_itself_changes_nothing(vector: np.ndarray, seconds: list[float]) -> None:
    if np.linalg.norm(vector.astype(np.float64)) < 1e-3:
        vector[0] = 1.0
    voice = checked(vector)
    recordings = [Recording("", "", voice, speech, -20.0, None, 0.0, 8000, "") for speech in seconds]
    np.testing.assert_allclose(combine(recordings).vector, voice, atol=1e-5)
    assert np.linalg.norm(combine(recordings).vector) == pytest.approx(1.0, abs=1e-5)


def test_a_voiceprint_has_a_bound() -> None:
    with pytest.raises(ValueError, match="one vector"):
        checked(np.ones(MAX_VOICEPRINT + 1, np.float32))
