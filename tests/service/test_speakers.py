"""Speakers, enrolment, verification and identification over REST."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from tests.service.rest_fixtures import LOCAL, file_of, running_app, tone
from undertone_service.protocol.rest import Problem
from undertone_service.settings import Settings

ANN, BOB = tone(300.0), tone(2000.0)
CONSENT = {"given": True, "by": "the desk, on paper"}


def client_of(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=LOCAL, headers=headers)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(Settings(data_dir=tmp_path)) as app, client_of(app) as client:
        yield client


async def create(client: httpx.AsyncClient, speaker: str, **body: Any) -> httpx.Response:
    return await client.post(
        "/v1/speakers", json={"id": speaker, "name": speaker, "consent": CONSENT, **body}
    )


async def enrol(client: httpx.AsyncClient, speaker: str, samples: np.ndarray, **query: Any) -> httpx.Response:
    return await client.post(f"/v1/speakers/{speaker}/enrollments", content=file_of(samples), params=query)


def refusal(response: httpx.Response, status: int, code: str) -> Problem:
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.code) == (status, code), problem
    assert problem.problem.endswith((".", "?"))
    assert problem.remedy.endswith(".")
    return problem


async def test_from_creation_to_verification(client: httpx.AsyncClient) -> None:
    created = await create(client, "ann")
    assert (created.status_code, created.json()["state"]) == (201, "empty")
    enrolled = await enrol(client, "ann", ANN[: 2 * 16000])
    assert enrolled.status_code == 201
    assert (enrolled.json()["missing_speech"], enrolled.json()["agreement"]) == (3.0, None)
    assert (await client.get("/v1/speakers/ann")).json()["state"] == "incomplete"
    enrolled = await enrol(client, "ann", ANN)
    assert enrolled.json()["missing_speech"] == 0.0
    assert enrolled.json()["agreement"] > 0.9
    shown = (await client.get("/v1/speakers/ann")).json()
    assert (shown["state"], shown["enrollments"], shown["speech"]) == ("ready", 2, 8.0)
    same = (await client.post("/v1/speakers/ann/verify", content=file_of(ANN))).json()
    other = (await client.post("/v1/speakers/ann/verify", content=file_of(BOB))).json()
    assert (same["decision"], same["warnings"]) == ("accepted", [])
    assert other["decision"] == "rejected"
    assert other["probability"] < same["probability"]


async def test_a_probe_of_another_bandwidth_or_a_short_enrolment_earns_a_warning(
    client: httpx.AsyncClient,
) -> None:
    await create(client, "ann")
    await enrol(client, "ann", ANN[: 2 * 16000])
    narrow = file_of(tone(300.0, rate=8000), 8000)
    warnings = (await client.post("/v1/speakers/ann/verify", content=narrow)).json()["warnings"]
    assert [warning.partition(":")[0] for warning in warnings] == ["other_bandwidth", "incomplete_enrolment"]


async def test_identification_is_open_set(client: httpx.AsyncClient) -> None:
    empty = (await client.post("/v1/identify", content=file_of(ANN))).json()
    assert (empty["identity"]["best"], empty["compared"]) == (None, 0)
    for name, samples in (("ann", ANN), ("bob", BOB)):
        await create(client, name)
        await enrol(client, name, samples)
    found = (await client.post("/v1/identify", content=file_of(BOB))).json()
    assert (found["identity"]["best"]["id"], found["compared"]) == ("bob", 2)
    stranger = (await client.post("/v1/identify", content=file_of(tone(1100.0)))).json()
    assert stranger["identity"]["best"] is None


async def test_a_deleted_speaker_is_unknown_everywhere(client: httpx.AsyncClient) -> None:
    await create(client, "ann")
    await enrol(client, "ann", ANN)
    assert (await client.delete("/v1/speakers/ann")).status_code == 204
    refusal(await client.get("/v1/speakers/ann"), 404, "unknown_speaker")
    refusal(await client.delete("/v1/speakers/ann"), 404, "unknown_speaker")
    refusal(await enrol(client, "ann", ANN), 404, "unknown_speaker")
    refusal(await client.post("/v1/speakers/ann/verify", content=file_of(ANN)), 404, "unknown_speaker")
    assert (await client.get("/v1/speakers")).json() == {"speakers": [], "next": None}
    assert (await client.post("/v1/identify", content=file_of(ANN))).json()["compared"] == 0


async def test_pages(client: httpx.AsyncClient) -> None:
    for name in "abcde":
        await create(client, name)
    page = (await client.get("/v1/speakers", params={"limit": 3})).json()
    rest = (await client.get("/v1/speakers", params={"limit": 3, "after": page["next"]})).json()
    assert [speaker["id"] for speaker in page["speakers"] + rest["speakers"]] == list("abcde")
    assert rest["next"] is None


async def test_speakers_without_consent_or_with_bad_bodies_are_refused(client: httpx.AsyncClient) -> None:
    for consent in (None, {}, {"given": False, "by": "x"}, {"given": True}, {"given": True, "by": ""}):
        refusal(await create(client, "ann", consent=consent), 422, "consent_missing")
    refusal(await client.post("/v1/speakers", json={"name": "ann"}), 422, "consent_missing")
    refusal(await create(client, "a/b"), 400, "bad_request")
    refusal(await create(client, "ann", name=""), 400, "bad_request")
    refusal(await client.post("/v1/speakers", content=b"{not json"), 400, "bad_request")
    refusal(await client.get("/v1/speakers", params={"limit": 0}), 400, "bad_request")
    assert (await create(client, "ann")).status_code == 201
    refusal(await create(client, "ann"), 409, "conflict")


async def test_recordings_that_do_not_fit_are_refused(client: httpx.AsyncClient) -> None:
    await create(client, "ann")
    problem = refusal(await enrol(client, "ann", ANN[:8000]), 422, "not_enough_speech")
    assert "0.5 s less" in problem.problem
    refusal(await enrol(client, "ann", np.zeros(16000, np.float32)), 422, "not_enough_speech")
    refusal(await enrol(client, "ann", np.sign(ANN)), 422, "poor_recording")
    await enrol(client, "ann", ANN)
    refusal(await enrol(client, "ann", BOB), 422, "recordings_disagree")
    silence = file_of(np.zeros(16000, np.float32))
    refusal(await client.post("/v1/speakers/ann/verify", content=silence), 422, "not_enough_speech")
    refusal(await client.post("/v1/identify", content=silence), 422, "not_enough_speech")
    assert (await client.get("/v1/speakers/ann")).json()["enrollments"] == 1


async def test_a_channel_of_a_stereo_recording_has_to_be_named(client: httpx.AsyncClient) -> None:
    await create(client, "ann")
    both = np.stack([ANN, BOB], axis=1)
    refusal(await enrol(client, "ann", both), 400, "bad_request")
    refusal(await enrol(client, "ann", ANN, channel=1), 400, "bad_request")
    assert (await enrol(client, "ann", both, channel=1)).status_code == 201
    verified = await client.post("/v1/speakers/ann/verify", content=file_of(BOB))
    assert verified.json()["decision"] == "accepted"


async def test_voices_of_another_bundle_need_reenrolment(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with running_app(settings) as app, client_of(app) as client:
        await create(client, "ann")
        await enrol(client, "ann", ANN)
        refusal(await enrol(client, "ann", ANN, bundle="other"), 404, "unknown_bundle")
    async with running_app(settings, digest="d2") as app, client_of(app) as client:
        assert (await client.get("/v1/speakers/ann")).json()["state"] == "needs_reenrolment"
        verified = await client.post("/v1/speakers/ann/verify", content=file_of(ANN))
        refusal(verified, 409, "needs_reenrolment")
        assert (await enrol(client, "ann", BOB)).json()["agreement"] is None
        assert (await client.get("/v1/speakers/ann")).json()["state"] == "ready"


async def test_tenants_do_not_see_each_other(tmp_path: Path) -> None:
    keys = {"one": "the-key-of-tenant-one", "two": "the-key-of-tenant-two"}
    settings = Settings.model_validate({"data_dir": tmp_path, "api_keys": keys})
    async with running_app(settings) as app:
        async with client_of(app, Authorization=f"Bearer {keys['one']}") as one:
            await create(one, "ann")
            await enrol(one, "ann", ANN)
        async with client_of(app, Authorization=f"Bearer {keys['two']}") as two:
            refusal(await two.get("/v1/speakers/ann"), 404, "unknown_speaker")
            refusal(await two.delete("/v1/speakers/ann"), 404, "unknown_speaker")
            refusal(await two.post("/v1/speakers/ann/verify", content=file_of(ANN)), 404, "unknown_speaker")
            assert (await two.post("/v1/identify", content=file_of(ANN))).json()["compared"] == 0
        async with client_of(app) as nobody:
            for method, path in (
                ("GET", "speakers"),
                ("POST", "identify"),
                ("GET", "models"),
                ("POST", "analyze"),
            ):
                response = await nobody.request(method, f"/v1/{path}")
                refusal(response, 401, "unauthorised")
                assert response.headers["WWW-Authenticate"] == "Bearer"
