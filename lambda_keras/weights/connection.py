"""Whether the host of a URL can be reached, found out within seconds, also behind a firewall that drops packets."""

import queue
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# Of the look-up of a name and of all addresses together.
SECONDS_TO_CONNECT = 3
PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def check_connection(url: str) -> None:
    """Connects to the host of a URL, or to the proxy that the environment names for it.

    Args:
        url: The URL.

    Raises:
        OSError: Neither the host nor, where there is one, the proxy can be reached.

    Example:
        >>> check_connection("https://huggingface.co")
    """
    place = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(place.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(place.hostname or ""):
        _connect(place)
        return
    place = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        _connect(place)
    except OSError as error:
        raise ConnectionError(f"no connection to the proxy {place.hostname}") from error


def _connect(place):
    """Connects to one of the addresses of a URL's host, to all at once: one that is silent takes no time of another."""
    port = place.port or PORTS.get(place.scheme, 80)
    deadline = time.monotonic() + SECONDS_TO_CONNECT
    (addresses,) = _answers(
        lambda host: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), [place.hostname], deadline
    )
    if isinstance(addresses, Exception):
        raise addresses
    for failure in _answers(_connect_to, [address[:2] for *_, address in addresses], deadline):
        if failure is None:
            return
    raise failure


def _connect_to(address):
    socket.create_connection(address, timeout=SECONDS_TO_CONNECT).close()


def _answers(function: Callable, arguments: Sequence, deadline: float) -> Iterator[Any]:
    """Calls a function with each argument at the same time, and yields what it returns or raises as it comes."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def answer(argument):
        try:
            answers.put(function(argument))
        except (OSError, ValueError) as error:
            answers.put(error)

    for argument in arguments:
        # A daemon: nothing stops the look-up of a name, and the process need not wait for it at its end.
        threading.Thread(target=answer, args=(argument,), daemon=True).start()
    for _ in arguments:
        try:
            yield answers.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            yield TimeoutError(f"no answer within {SECONDS_TO_CONNECT} seconds")
