"""Credentials in URLs: hidden in what is written, refused in parameters."""

import pytest
from pydantic import ValidationError

from winnow.parameters.curation import Curation
from winnow.parameters.redaction import redact_text


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


@pytest.mark.parametrize("name", ["output", "small", "large", "manifest", "audio_root"])
def test_parameter_with_credentials_is_refused_without_showing_them(name):
    parameters = {"manifest": "a.jsonl", "output": "out", "small": "small.nemo", name: "s3://ann:s3cret@bucket/x"}
    with pytest.raises(ValidationError) as refused:
        Curation(**parameters)
    assert "credentials are not allowed in a parameter: set them in the environment" in str(refused.value)
    assert "s3cret" not in str(refused.value)
