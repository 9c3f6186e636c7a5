"""The voice store: speakers and their voiceprints, durable, and gone when they are deleted."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.store.database import connect, forget_deleted, migrate
from undertone_service.store.tables import EnrollmentRow, SpeakerRow
from undertone_service.store.voices import Gallery, Recording, StoredSpeaker, Voiceprint, checked, combine

logger = logging.getLogger(__name__)

Listener = Callable[[str, str], None]


class VoiceStore:
    """All enrolled voices. Made by ``await VoiceStore.open(url)``.

    Writes, and the filling of the gallery cache, take one lock, so that a gallery never outlives a change.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._lock = asyncio.Lock()
        self._galleries: dict[tuple[str, str], Gallery] = {}
        self._listeners: list[Listener] = []

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the database, migrate it, and clear what a crash may have left of a deletion."""
        engine = connect(url)
        await migrate(engine)
        await forget_deleted(engine)
        return cls(engine)

    async def close(self) -> None:
        """Close the database."""
        await self._engine.dispose()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(tenant, speaker id)`` after a voice was deleted or enrolled anew.

        Returns a function that ends the subscription. A listener must not block.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def create_speaker(
        self, tenant: str, name: str, *, consent_by: str, speaker_id: str | None = None
    ) -> StoredSpeaker:
        """Create a speaker who has given consent.

        Raises:
            UndertoneError: ``conflict`` where the id is taken.
        """
        now = _now()
        row = SpeakerRow(
            tenant=tenant,
            id=speaker_id or uuid.uuid4().hex,
            name=name,
            consent_by=consent_by,
            consent_at=now,
            created_at=now,
        )
        try:
            async with self._lock, self._session.begin() as session:
                session.add(row)
        except IntegrityError:
            raise UndertoneError(
                ErrorCode.CONFLICT,
                f"There is a speaker {speaker_id!r} already.",
                "Choose another id, or delete that speaker first.",
            ) from None
        return StoredSpeaker(row.id, row.name, row.consent_by, row.consent_at, row.created_at)

    async def speakers(
        self, tenant: str, *, after: str = "", limit: int = 100
    ) -> tuple[list[StoredSpeaker], str | None]:
        """List speakers by id, from the one after ``after``; with them the ``after`` of the next page."""
        query = (
            select(SpeakerRow)
            .where(SpeakerRow.tenant == tenant, SpeakerRow.id > after)
            .order_by(SpeakerRow.id)
            .limit(limit + 1)
        )
        async with self._session() as session:
            rows = list(await session.scalars(query))
            speakers = await _with_enrollments(session, tenant, rows[:limit])
        return speakers, rows[limit - 1].id if len(rows) > limit else None

    async def speaker(self, tenant: str, speaker_id: str) -> StoredSpeaker:
        """Return one speaker.

        Raises:
            UndertoneError: ``unknown_speaker``.
        """
        async with self._session() as session:
            row = await session.get(SpeakerRow, (tenant, speaker_id))
            if row is None:
                raise _unknown(speaker_id)
            return (await _with_enrollments(session, tenant, [row]))[0]

    async def delete_speaker(self, tenant: str, speaker_id: str) -> None:
        """Delete a speaker and all voiceprints, from the disk too.

        Raises:
            UndertoneError: ``unknown_speaker``.
        """
        async with self._lock:
            async with self._session.begin() as session:
                deleted = await session.scalars(
                    delete(SpeakerRow)
                    .where(SpeakerRow.tenant == tenant, SpeakerRow.id == speaker_id)
                    .returning(SpeakerRow.id)
                )
                if not deleted.all():
                    raise _unknown(speaker_id)
            self._changed(tenant, speaker_id)
            await forget_deleted(self._engine)

    async def add_enrollment(
        self, tenant: str, speaker_id: str, bundle_digest: str, sample: VoiceSample
    ) -> Recording:
        """Store one recording's voiceprint; it is on the disk when this returns.

        Raises:
            UndertoneError: ``unknown_speaker``, or ``bad_audio`` where the voiceprint is not a finite
                vector of the size of this bundle's others.
        """
        try:
            vector = checked(np.zeros(0, np.float32) if sample.voiceprint is None else sample.voiceprint)
        except ValueError as error:
            raise _bad_voiceprint(str(error)) from None
        recording = Recording(
            id=uuid.uuid4().hex,
            bundle_digest=bundle_digest,
            voiceprint=vector,
            speech=sample.speech,
            level_db=sample.level_db,
            snr_db=sample.snr_db,
            clipped=sample.clipped,
            bandwidth_hz=sample.bandwidth_hz,
            created_at=_now(),
        )
        async with self._lock:
            async with self._session.begin() as session:
                if await session.get(SpeakerRow, (tenant, speaker_id)) is None:
                    raise _unknown(speaker_id)
                size = await session.scalar(
                    select(func.length(EnrollmentRow.voiceprint))
                    .where(EnrollmentRow.bundle_digest == bundle_digest)
                    .limit(1)
                )
                if size not in (None, 4 * vector.size):
                    raise _bad_voiceprint(f"{vector.size} numbers where the bundle has {(size or 0) // 4}")
                session.add(_row(tenant, speaker_id, recording))
            self._changed(tenant, speaker_id)
        return recording

    async def enrollments(self, tenant: str, speaker_id: str) -> list[Recording]:
        """List a speaker's recordings, oldest first, of all bundles.

        Raises:
            UndertoneError: ``unknown_speaker``.
        """
        query = (
            select(EnrollmentRow)
            .where(EnrollmentRow.tenant == tenant, EnrollmentRow.speaker_id == speaker_id)
            .order_by(EnrollmentRow.created_at)
        )
        async with self._session() as session:
            if await session.get(SpeakerRow, (tenant, speaker_id)) is None:
                raise _unknown(speaker_id)
            return [_recording(row) for row in await session.scalars(query)]

    async def voiceprint(self, tenant: str, speaker_id: str, bundle_digest: str) -> Voiceprint:
        """Return the voice of a speaker as this bundle hears it.

        Raises:
            UndertoneError: ``unknown_speaker``, or ``needs_reenrolment`` where no recording was enrolled
                with this bundle: voiceprints of different bundles cannot be compared.
        """
        recordings = await self.enrollments(tenant, speaker_id)
        fitting = [recording for recording in recordings if recording.bundle_digest == bundle_digest]
        if fitting:
            return combine(fitting)
        problem = (
            f"Speaker {speaker_id!r} was enrolled with another model, whose voiceprints cannot be compared."
            if recordings
            else f"Speaker {speaker_id!r} has no recording yet."
        )
        raise UndertoneError(
            ErrorCode.NEEDS_REENROLMENT,
            problem,
            f"Send recordings to /v1/speakers/{speaker_id}/enrollments, then try again.",
        )

    async def gallery(self, tenant: str, bundle_digest: str) -> Gallery:
        """Return all voices of a tenant that this bundle can compare; kept in memory, always current."""
        async with self._lock:
            gallery = self._galleries.get((tenant, bundle_digest))
            if gallery is None:
                gallery = await self._read_gallery(tenant, bundle_digest)
                self._galleries[tenant, bundle_digest] = gallery
            return gallery

    async def _read_gallery(self, tenant: str, bundle_digest: str) -> Gallery:
        query = (
            select(EnrollmentRow, SpeakerRow.name)
            .join(
                SpeakerRow,
                (SpeakerRow.tenant == EnrollmentRow.tenant) & (SpeakerRow.id == EnrollmentRow.speaker_id),
            )
            .where(EnrollmentRow.tenant == tenant, EnrollmentRow.bundle_digest == bundle_digest)
            .order_by(EnrollmentRow.speaker_id)
        )
        voices: dict[str, list[Recording]] = {}
        names: dict[str, str] = {}
        async with self._session() as session:
            for row, name in await session.execute(query):
                voices.setdefault(row.speaker_id, []).append(_recording(row))
                names[row.speaker_id] = name
        vectors = [combine(recordings).vector for recordings in voices.values()]
        matrix = np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
        matrix.setflags(write=False)  # shared by all streams of the tenant
        return Gallery(tuple(voices), tuple(names.values()), matrix)

    def _changed(self, tenant: str, speaker_id: str) -> None:
        for key in [key for key in self._galleries if key[0] == tenant]:
            del self._galleries[key]
        for listener in tuple(self._listeners):
            try:
                listener(tenant, speaker_id)
            except Exception:  # the change is made; one deaf session must not turn it into an error
                logger.exception("a listener to the voice store failed")


async def _with_enrollments(
    session: AsyncSession, tenant: str, rows: Sequence[SpeakerRow]
) -> list[StoredSpeaker]:
    speakers = {
        row.id: StoredSpeaker(row.id, row.name, row.consent_by, row.consent_at, row.created_at)
        for row in rows
    }
    query = (
        select(
            EnrollmentRow.speaker_id,
            EnrollmentRow.bundle_digest,
            func.count(),
            func.sum(EnrollmentRow.speech),
        )
        .where(EnrollmentRow.tenant == tenant, EnrollmentRow.speaker_id.in_(speakers))
        .group_by(EnrollmentRow.speaker_id, EnrollmentRow.bundle_digest)
    )
    for speaker_id, digest, count, speech in await session.execute(query):
        speakers[speaker_id].enrollments[digest] = count
        speakers[speaker_id].speech[digest] = speech
    return list(speakers.values())


def _row(tenant: str, speaker_id: str, recording: Recording) -> EnrollmentRow:
    return EnrollmentRow(
        id=recording.id,
        tenant=tenant,
        speaker_id=speaker_id,
        bundle_digest=recording.bundle_digest,
        voiceprint=recording.voiceprint.astype("<f4").tobytes(),
        speech=recording.speech,
        level_db=recording.level_db,
        snr_db=recording.snr_db,
        clipped=recording.clipped,
        bandwidth_hz=recording.bandwidth_hz,
        created_at=recording.created_at,
    )


def _recording(row: EnrollmentRow) -> Recording:
    return Recording(
        id=row.id,
        bundle_digest=row.bundle_digest,
        voiceprint=np.frombuffer(row.voiceprint, "<f4").astype(np.float32),
        speech=row.speech,
        level_db=row.level_db,
        snr_db=row.snr_db,
        clipped=row.clipped,
        bandwidth_hz=row.bandwidth_hz,
        created_at=row.created_at,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _unknown(speaker_id: str) -> UndertoneError:
    return UndertoneError(
        ErrorCode.UNKNOWN_SPEAKER,
        f"There is no speaker {speaker_id!r}.",
        "Create the speaker with POST /v1/speakers, or look the id up with GET /v1/speakers.",
    )


def _bad_voiceprint(problem: str) -> UndertoneError:
    return UndertoneError(
        ErrorCode.BAD_AUDIO, f"No usable voiceprint: {problem}.", "Send another recording of clear speech."
    )
