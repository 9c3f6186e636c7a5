"""REST: speakers, their enrolment, and who a recording is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from undertone_service.analysis.verification import Verifier, identify
from undertone_service.bundle.bundle import Bundle
from undertone_service.enrolment import EnrolmentRules, check_recording, missing_speech
from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.rest import (
    EnrolledSpeaker,
    Enrollment,
    Identification,
    NewSpeaker,
    SpeakerPage,
    Verification,
)
from undertone_service.store.voices import StoredSpeaker, Voiceprint
from undertone_service.web.service import Running, Service, Tenant
from undertone_service.web.uploads import BODY, received_upload

router = APIRouter(prefix="/v1", tags=["speakers"])

SpeakerId = Annotated[str, Path(max_length=64)]
BundleName = Annotated[str | None, Query(max_length=100, description="model; absent: the default")]
Channel = Annotated[int | None, Query(ge=0, le=1, description="which channel of a stereo recording to hear")]


@router.post("/speakers", status_code=201)
async def create_speaker(body: NewSpeaker, service: Running, tenant: Tenant) -> EnrolledSpeaker:
    """Create a speaker who has agreed to be enrolled."""
    speaker = await service.store.create_speaker(
        tenant, body.name, consent_by=body.consent.by, speaker_id=body.id
    )
    return _answer(speaker, service)


@router.get("/speakers")
async def list_speakers(
    service: Running,
    tenant: Tenant,
    after: Annotated[
        str, Query(max_length=64, description="id to go on after: `next` of the last page")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="speakers on a page")] = 100,
) -> SpeakerPage:
    """List the tenant's speakers by id."""
    speakers, following = await service.store.speakers(tenant, after=after, limit=limit)
    return SpeakerPage(speakers=tuple(_answer(speaker, service) for speaker in speakers), next=following)


@router.get("/speakers/{speaker}")
async def get_speaker(speaker: SpeakerId, service: Running, tenant: Tenant) -> EnrolledSpeaker:
    """Return one speaker."""
    return _answer(await service.store.speaker(tenant, speaker), service)


@router.delete("/speakers/{speaker}", status_code=204)
async def delete_speaker(speaker: SpeakerId, service: Running, tenant: Tenant) -> Response:
    """Delete a speaker and the voiceprints, for good; live sessions drop the voice at once."""
    await service.store.delete_speaker(tenant, speaker)
    return Response(status_code=204)


@router.post("/speakers/{speaker}/enrollments", status_code=201, openapi_extra=BODY)
async def enrol(
    speaker: SpeakerId,
    request: Request,
    service: Running,
    tenant: Tenant,
    channel: Channel = None,
    bundle: BundleName = None,
) -> Enrollment:
    """Add a recording of the speaker, on disk when this answers; the recording itself is not kept."""
    model = service.bundles.get(bundle)
    digest = model.manifest.digest
    await service.store.speaker(tenant, speaker)
    sample = await _heard(request, service, channel, bundle)
    stored = await service.store.speaker(tenant, speaker)
    before = await service.store.voiceprint(tenant, speaker, digest) if digest in stored.speech else None
    rules = _rules(service, model)
    agreement = check_recording(sample, before, rules)
    recording = await service.store.add_enrollment(tenant, speaker, digest, sample)
    return Enrollment(
        id=recording.id,
        speaker=speaker,
        speech=round(sample.speech, 2),
        level_db=sample.level_db,
        snr_db=sample.snr_db,
        clipped=sample.clipped,
        bandwidth_hz=sample.bandwidth_hz,
        agreement=None if agreement is None else round(agreement, 4),
        missing_speech=missing_speech((before.speech if before else 0.0) + sample.speech, rules),
    )


@router.post("/speakers/{speaker}/verify", openapi_extra=BODY)
async def verify(
    speaker: SpeakerId,
    request: Request,
    service: Running,
    tenant: Tenant,
    channel: Channel = None,
    bundle: BundleName = None,
) -> Verification:
    """Say whether a recording is the claimed speaker."""
    model = service.bundles.get(bundle)
    voice = await service.store.voiceprint(tenant, speaker, model.manifest.digest)
    sample = await _heard(request, service, channel, bundle)
    if sample.voiceprint is None:
        raise _no_speech()
    verifier = Verifier(speaker, voice.vector, model.manifest, service.settings.verification_prior)
    outcome = verifier.look(sample.voiceprint, sample.speech)
    return Verification(
        speaker=speaker,
        score=outcome.score,
        probability=outcome.probability,
        decision=outcome.decision,
        speech=outcome.speech,
        warnings=_warnings(voice, sample, _rules(service, model)),
    )


@router.post("/identify", openapi_extra=BODY)
async def identify_recording(
    request: Request, service: Running, tenant: Tenant, channel: Channel = None, bundle: BundleName = None
) -> Identification:
    """Say which enrolled voice a recording is, if any."""
    model = service.bundles.get(bundle)
    sample = await _heard(request, service, channel, bundle)
    if sample.voiceprint is None:
        raise _no_speech()
    gallery = await service.store.gallery(tenant, model.manifest.digest)
    return Identification(
        identity=identify(
            gallery,
            sample.voiceprint,
            sample.speech,
            model.manifest,
            service.settings.verification_prior,
        ),
        speech=round(sample.speech, 2),
        compared=len(gallery.ids),
    )


async def _heard(request: Request, service: Service, channel: int | None, bundle: str | None) -> VoiceSample:
    async with received_upload(request) as upload:
        return await service.analyzer.voice(upload.channel(channel), upload.sample_rate, bundle)


def _rules(service: Service, bundle: Bundle) -> EnrolmentRules:
    return EnrolmentRules(
        agreement=bundle.manifest.verification.agreement, wanted_speech=service.settings.enrolment_speech
    )


def _answer(speaker: StoredSpeaker, service: Service) -> EnrolledSpeaker:
    """Describe a stored speaker as the default bundle sees it."""
    return EnrolledSpeaker(
        id=speaker.id,
        name=speaker.name,
        created_at=speaker.created_at,
        consent_by=speaker.consent_by,
        enrollments=sum(speaker.enrollments.values()),
        speech=round(sum(speaker.speech.values()), 2),
        state=_state(speaker, service),
    )


def _state(
    speaker: StoredSpeaker, service: Service
) -> Literal["empty", "incomplete", "ready", "needs_reenrolment"]:
    if not speaker.enrollments:
        return "empty"
    speech = speaker.speech.get(service.bundles.default.manifest.digest)
    if speech is None:
        return "needs_reenrolment"
    return "ready" if speech >= service.settings.enrolment_speech else "incomplete"


def _warnings(voice: Voiceprint, sample: VoiceSample, rules: EnrolmentRules) -> tuple[str, ...]:
    warnings = []
    if voice.bandwidth_hz != sample.bandwidth_hz:
        warnings.append(
            f"other_bandwidth: enrolled at {voice.bandwidth_hz} Hz, this recording has "
            f"{sample.bandwidth_hz} Hz; the score is less certain"
        )
    if missing := missing_speech(voice.speech, rules):
        warnings.append(f"incomplete_enrolment: {missing:.1f} s of speech still wanted")
    return tuple(warnings)


def _no_speech() -> UndertoneError:
    return UndertoneError(
        ErrorCode.NOT_ENOUGH_SPEECH, "No speech was found in the recording.", "Send a few seconds of speech."
    )
