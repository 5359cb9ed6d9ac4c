"""Credentials in URLs: hidden in what is written, refused in parameters."""

from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import ValidationError

from cli.app import main
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.export import Export
from winnow.parameters.maintenance import Benchmark, Doctor, DownloadModels, Refilter
from winnow.parameters.redaction import redact_text
from winnow.parameters.settings import Parameters


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://ann:s3cret@host/a.wav", "https://***@host/a.wav"),
        ("s3://AKIA0:s3cret@bucket/a.wav and ftp://x@y", "s3://***@bucket/a.wav and ftp://***@y"),
        ("https:/ann:s3cret@host/a.wav", "https:/***@host/a.wav"),
        ("https://h/a.wav?X-Amz-Signature=s3cret&x=1", "https://h/a.wav?X-Amz-Signature=***&x=1"),
        ("https://h/a.wav?x=1&token=s3cret#t=5", "https://h/a.wav?x=1&token=***#t=5"),
        ("https://ann:s3/cr@et@host:80/a.wav", "https://***@host:80/a.wav"),
        ("https://host:80/a@b.wav", "https://host:80/a@b.wav"),
        ("https://h/a.wav?AWSAccessKeyId=AKIA0&Expires=1", "https://h/a.wav?AWSAccessKeyId=***&Expires=1"),
        ("https://h/a.wav#access_token=s3cret", "https://h/a.wav#access_token=***"),
        ("https://h/a@b.wav?monkey=1", "https://h/a@b.wav?monkey=1"),
        ("nvidia/model@revision", "nvidia/model@revision"),
        ("ann@example.org", "ann@example.org"),
    ],
)
def test_only_credentials_in_urls_are_hidden(text, redacted):
    assert redact_text(text) == redacted


SECRET = "s3://ann:s3cret@bucket/x"
CURATION = {"manifest": "a.jsonl", "output": "out", "small": "small.nemo"}


def text_parameters(kind: type[Parameters]) -> list[str]:
    """Return the names of the parameters that take a text or a path; nested ones are PARENT.NAME."""
    names = []
    for name, field in kind.model_fields.items():
        parts = get_args(field.annotation) or (field.annotation,)
        models = [part for part in parts if isinstance(part, type) and issubclass(part, Parameters)]
        names += [f"{name}.{inner}" for model in models for inner in text_parameters(model)]
        single = get_origin(field.annotation) not in (list, tuple, dict)
        names += [name] if single and {str, Path} & set(parts) else []
    return names


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in (Curation, Ensemble, Benchmark, Doctor, Refilter, Export)
        for name in text_parameters(kind)
    ],
)
def test_parameter_with_credentials_is_refused_without_showing_them(kind, name):
    parent, _, inner = name.rpartition(".")
    values = {inner: SECRET}
    refuse(kind, **({parent: {"de": values} if parent == "languages" else values} if parent else values))


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (Curation, {"devices": "tcp://ann:s3cret@host:8786"}),
        (Curation, {"devices": "tls://host:8786?token=s3cret"}),
        (Ensemble, {"devices": "tcp://ann:s3cret@host:8786"}),
        (Ensemble, {"models": ["a.nemo", SECRET]}),
        (DownloadModels, {"models": [SECRET]}),
        (Curation, {"extra_models": [SECRET]}),
        (Export, {"against": [SECRET]}),
        (Curation, {"languages": {"de": {"small": SECRET}}}),
        (Curation, {"filter": {"rules": [f"source != '{SECRET}'"]}}),
    ],
)
def test_credentials_anywhere_in_the_parameters_are_refused(kind, parameters):
    refuse(kind, **parameters)


def refuse(kind: type[Parameters], **parameters: object) -> None:
    required = CURATION | {"models": ["a.nemo", "b.nemo"], "run": "out"}
    known = {name: value for name, value in required.items() if name in kind.model_fields}
    with pytest.raises(ValidationError) as refused:
        kind(**known | parameters)
    messages = [error["msg"] for error in refused.value.errors()]
    assert any("credentials are not allowed in a parameter: set them in the environment" in text for text in messages)
    assert "s3cret" not in str(refused.value)


def test_folder_with_credentials_is_refused_by_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", SECRET])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "winnow: s3://***@bucket/x: set credentials in the environment, not in the name of a folder\n"
    )
