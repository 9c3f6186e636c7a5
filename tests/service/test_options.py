"""Query parameters of a stream, and the typed refusal of those that do not fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.options import Encoding, StreamOptions

ASKED = st.fixed_dictionaries(
    {
        "sample_rate": st.integers(8000, 48000),
        "encoding": st.sampled_from(list(Encoding)),
        "window": st.integers(10, 300).map(lambda steps: steps / 10),
        "hop": st.integers(1, 10).map(lambda steps: steps / 10),
        "tasks": st.lists(st.sampled_from(list(Task)), min_size=1, unique=True).map(tuple),
        "identify": st.booleans(),
        "bundle": st.none() | st.just("one"),
    }
)


def test_the_defaults() -> None:
    options = StreamOptions.from_query({})
    assert (options.sample_rate, options.encoding, options.channels) == (16000, Encoding.S16LE, 1)
    assert (options.window, options.hop, options.tasks) == (3.0, 0.5, tuple(Task))
    assert options.role(0) is Role.UNKNOWN
    assert options.claims() == {}
    assert options.bytes_per_second == 32000
    assert options.to_query() == {}
    assert StreamOptions(window=3.0, bundle=None).to_query() == {"window": "3.0"}


@settings(max_examples=30, deadline=None)
@given(ASKED, st.sampled_from([1, 2]))
def test_what_is_written_as_a_query_is_read_again(asked: dict[str, object], channels: int) -> None:
    roles = (Role.CUSTOMER, Role.AGENT)[:channels]
    options = StreamOptions.model_validate(
        {**asked, "channels": channels, "roles": roles, "verify": ("customer:ann",)}
    )
    assert StreamOptions.from_query(options.to_query()) == options


def test_unknown_parameters_are_ignored() -> None:
    assert StreamOptions.from_query({"colour": "blue"}) == StreamOptions.from_query({})


@pytest.mark.parametrize(
    ("query", "claims"),
    [
        ({"verify": "ann"}, {0: "ann"}),
        ({"verify": "0:ann"}, {0: "ann"}),
        ({"channels": "2", "verify": "1:ann"}, {1: "ann"}),
        ({"channels": "2", "roles": "agent,customer", "verify": "customer:ann,agent:bob"}, {1: "ann", 0: "bob"}),
        ({"channels": "2", "roles": "agent,customer", "verify": "customer:ann,0:bob"}, {1: "ann", 0: "bob"}),
    ],
)  # fmt: skip
def test_claims(query: dict[str, str], claims: dict[int, str]) -> None:
    assert StreamOptions.from_query(query).claims() == claims


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"sample_rate": "7999"}, "sample_rate"),
        ({"sample_rate": "48001"}, "sample_rate"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"encoding": "opus"}, "encoding"),
        ({"channels": "0"}, "channels"),
        ({"channels": "3"}, "channels"),
    ],
)
def test_unsupported_audio(query: dict[str, str], named: str) -> None:
    with pytest.raises(UndertoneError) as refused:
        StreamOptions.from_query(query)
    assert refused.value.code is ErrorCode.UNSUPPORTED_AUDIO
    assert refused.value.close_code == 4015
    assert refused.value.problem.startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"window": "0.4"}, "window"),
        ({"window": "31"}, "window"),
        ({"window": "nan"}, "window"),
        ({"window": "2.55"}, "window"),
        ({"hop": "0"}, "hop"),
        ({"hop": "0.25"}, "hop"),
        ({"hop": "4"}, "hop"),
        ({"roles": "customer,agent"}, "roles"),
        ({"roles": "boss"}, "roles"),
        ({"channels": "2", "roles": "agent"}, "roles"),
        ({"tasks": "emotion,mood"}, "tasks"),
        ({"identify": "perhaps"}, "identify"),
        ({"bundle": "x" * 101}, "bundle"),
        ({"previous": "x" * 65}, "previous"),
        ({"verify": "1:ann"}, "verify"),
        ({"verify": "customer:ann"}, "verify"),
        ({"verify": "0:"}, "verify"),
        ({"verify": "ann,bob"}, "verify"),
        ({"channels": "2", "verify": "ann"}, "verify"),
        ({"channels": "2", "verify": "0:ann,0:bob"}, "verify"),
        ({"verify": "²:ann"}, "verify"),
    ],
)
def test_bad_requests_name_what_was_wrong(query: dict[str, str], named: str) -> None:
    with pytest.raises(UndertoneError) as refused:
        StreamOptions.from_query(query)
    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert refused.value.close_code == 4000
    assert refused.value.problem.startswith(f"{named}: ")
    assert refused.value.remedy.endswith(".")
