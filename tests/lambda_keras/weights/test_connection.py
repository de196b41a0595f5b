import queue
import socket
import threading
import urllib.request

import pytest

from lambda_keras.weights import connection
from lambda_keras.weights.connection import check_connection

ADDRESSES = [f"192.0.2.{number}" for number in range(8)]


@pytest.fixture(autouse=True)
def proxies(monkeypatch):
    """The proxies of the environment, of which a test has none."""
    found = {}
    monkeypatch.setattr(urllib.request, "getproxies", lambda: found)
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host == "inside")
    return found


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dropped(monkeypatch):
    """A function that never answers while a test runs, and what it was asked."""
    asked, end = queue.SimpleQueue(), threading.Event()

    def wait(what, *_, **__):
        asked.put(what)
        end.wait()
        raise TimeoutError

    monkeypatch.setattr(connection, "SECONDS_TO_CONNECT", 0.01)
    yield wait, asked
    end.set()


def names(*addresses):
    """What the look-up of a name finds."""
    return lambda host, port, **_: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
    ]


def test_a_host_that_answers(open_port):
    check_connection(f"http://127.0.0.1:{open_port}")


def test_addresses_that_do_not_answer_wait_at_the_same_time(dropped, monkeypatch):
    wait, asked = dropped
    monkeypatch.setattr(socket, "getaddrinfo", names(*ADDRESSES))
    monkeypatch.setattr(socket, "create_connection", wait)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 seconds"):
        check_connection("https://hub.invalid")
    # Each was asked although none of them has come to its end.
    assert {asked.get(timeout=60) for _ in ADDRESSES} == {(address, 443) for address in ADDRESSES}


def test_one_of_them_that_answers_is_enough(dropped, monkeypatch):
    wait, _ = dropped
    answering = (ADDRESSES[-1], 443)
    monkeypatch.setattr(connection, "SECONDS_TO_CONNECT", 60)
    monkeypatch.setattr(socket, "getaddrinfo", names(*ADDRESSES))
    monkeypatch.setattr(
        socket, "create_connection", lambda address, timeout: socket.socket() if address == answering else wait(address)
    )
    check_connection("https://hub.invalid")


def test_the_look_up_of_a_name_that_does_not_answer(dropped, monkeypatch):
    wait, asked = dropped
    monkeypatch.setattr(socket, "getaddrinfo", wait)
    with pytest.raises(TimeoutError, match="no answer within"):
        check_connection("https://hub.invalid")
    assert asked.get(timeout=60) == "hub.invalid"


def test_a_name_that_is_unknown(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror, match="Name or service not known"):
        check_connection("https://hub.invalid")


@pytest.mark.parametrize("scheme", ["https", "all"])
@pytest.mark.parametrize("form", ["http://user:secret@127.0.0.1:{}", "127.0.0.1:{}"])
def test_a_proxy_is_asked_in_the_place_of_the_host(scheme, form, proxies, open_port):
    proxies[scheme] = form.format(open_port)
    check_connection("https://hub.invalid")
    proxies[scheme] = form.format(1)
    with pytest.raises(ConnectionError, match=r"^no connection to the proxy 127\.0\.0\.1$") as caught:
        check_connection("https://hub.invalid")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_a_proxy_of_other_hosts_is_not_asked(proxies, open_port, monkeypatch):
    proxies.update({"http": "http://127.0.0.1:1", "https": f"http://127.0.0.1:{open_port}"})
    check_connection("https://hub.invalid")
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **named: look_up("127.0.0.1", *rest, **named))
    check_connection(f"http://inside:{open_port}")
