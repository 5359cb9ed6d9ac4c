"""Hosts of a test: network namespaces with addresses of their own, on one network with this machine.

They share this machine's files, but whatever one of them sends goes over its link, which can be cut.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NAMES = ("a", "b")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def why_no_hosts() -> str:
    """Return why this machine cannot make hosts, or an empty text if it can."""
    try:
        with running_network() as network:
            ip(*network.command(NAMES[0])[1:], "true")
        return ""
    except FileNotFoundError:
        return "there is no command ip (iproute2)"
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.strip()}"


class Network:
    """A bridge of this machine, with the link of each host."""

    def __init__(self) -> None:
        number = os.getpid()
        self.bridge = f"wn{number}"
        self.subnet = f"198.18.{number % 256}"  # of the addresses that are reserved for tests of networks
        self.address = f"{self.subnet}.1"

    def name(self, host: str) -> str:
        """Return the name of a host's namespace, which is that of its link on this side."""
        return f"{self.bridge}{host}"

    def host_at(self, address: str) -> str:
        """Return the host with this address, e.g. tls://198.18.7.2:1234."""
        return NAMES[int(address.rpartition(":")[0].rpartition(".")[2]) - 2]

    def command(self, host: str) -> tuple[str, ...]:
        """Return the words before a command that runs on a host."""
        return ("ip", "netns", "exec", self.name(host))

    def make(self) -> None:
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for number, host in enumerate(NAMES, start=2):
            name, inside = self.name(host), ["-n", self.name(host)]
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", name, "master", self.bridge, "up")
            ip(*inside, "address", "add", f"{self.subnet}.{number}/24", "dev", "eth0")
            ip(*inside, "link", "set", "eth0", "up")
            ip(*inside, "link", "set", "lo", "up")

    def remove(self) -> None:
        links = [("link", "delete", name) for name in (*map(self.name, NAMES), self.bridge)]
        for words in (*links, *(("netns", "delete", self.name(host)) for host in NAMES)):
            with suppress(subprocess.CalledProcessError, FileNotFoundError):
                ip(*words)

    def cut(self, host: str) -> None:
        ip("link", "set", self.name(host), "down")

    def mend(self, host: str) -> None:
        ip("link", "set", self.name(host), "up")


@contextmanager
def running_network() -> Iterator[Network]:
    network = Network()
    try:
        network.make()
        yield network
    finally:
        network.remove()
