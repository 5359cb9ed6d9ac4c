"""Proxies in the environment: asked for other machines only, and refused in one line if they cannot be used."""

import httpx
import pytest
import socksio

from cli.app import main
from flows.server.proxies import exempt_this_machine, require_usable_proxies

PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (*PROXY_VARIABLES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_proxy_is_asked_for_other_machines_only(variable, scheme, proxy, monkeypatch):
    monkeypatch.setenv(variable, proxy.url.replace("http", scheme))
    exempt_this_machine()
    require_usable_proxies()
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://{host}:9/api/health")
    assert proxy.requests == []
    with pytest.raises((httpx.HTTPError, socksio.ProtocolError)):
        httpx.get("http://winnow.invalid/")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"HTTP_PROXY": ""}, {"HTTP_PROXY": ""}),
        ({"NO_PROXY": "example.org"}, {"NO_PROXY": "example.org"}),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, {"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}),
        (
            {"HTTP_PROXY": "http://p:1", "NO_PROXY": "example.org, localhost"},
            {
                "HTTP_PROXY": "http://p:1",
                "NO_PROXY": "example.org,localhost,127.0.0.1,::1",
                "no_proxy": "example.org,localhost,127.0.0.1,::1",
            },
        ),
        (
            {"all_proxy": "socks5://p:1", "no_proxy": "a", "NO_PROXY": "b"},
            {
                "all_proxy": "socks5://p:1",
                "no_proxy": "a,127.0.0.1,localhost,::1",
                "NO_PROXY": "a,127.0.0.1,localhost,::1",
            },
        ),
    ],
)
def test_this_machine_is_exempted_only_if_there_is_a_proxy(before, after):
    environment = dict(before)
    exempt_this_machine(environment)
    assert environment == after


@pytest.mark.parametrize(
    "value",
    [
        "ftp://ann:s3cret@proxy:1",
        "http://ann:s3cret@proxy:port",
        "http://ann:s3cret@proxy:99999",
        "http://",
        "socks4://proxy:1",
    ],
)
def test_proxy_that_cannot_be_used_is_refused_in_one_line(value, monkeypatch, capsys, hears, manifest, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", value)
    model = hears(small={"a.wav": "hello"})["small"]
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"})
    with pytest.raises(SystemExit) as ended:
        main(["curate", str(corpus), "--output", str(tmp_path / "run"), "--small", model])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("winnow: HTTPS_PROXY=")
    assert "not a proxy that can be used" in printed
    assert printed.count("\n") == 1
    assert "s3cret" not in printed
