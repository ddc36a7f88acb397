"""Other people's Python libraries as clients of our server: httpx, requests, http.client, curl_cffi, aioquic."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.conftest import Serve, find_module
from tests.interop.conftest import HouseServing
from tests.interop.programs.house import House

pytestmark = [
    pytest.mark.peer,
    # theirs, not ours: deprecations and sockets left to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

CONTENT = b"".join(b"%08d" % number for number in range(1 << 17))
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def parts() -> Iterator[bytes]:
    for start in range(0, len(CONTENT), 10000):
        yield CONTENT[start : start + 10000]


class TestHttpx:
    @pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
    def client(self, request: pytest.FixtureRequest, ca_file: str) -> Iterator[Any]:
        httpx = find_module("httpx")
        context = ssl.create_default_context(cafile=ca_file)
        http2 = request.param == "HTTP/2"
        with httpx.Client(verify=context, http2=http2, http1=not http2, trust_env=False) as client:
            client.expected = request.param
            yield client

    def test_get(self, client: Any, ours: HouseServing) -> None:
        response = client.get(ours.serving.https("/echo"))
        assert (response.status_code, response.http_version) == (200, client.expected)
        assert response.json()["version"] == client.expected

    def test_upload(self, client: Any, ours: HouseServing) -> None:
        answer = client.post(ours.serving.https("/upload"), content=parts()).json()
        assert (answer["length"], answer["sha256"]) == (len(CONTENT), DIGEST)

    def test_redirects_are_followed(self, client: Any, ours: HouseServing) -> None:
        url = ours.serving.https("/redirect/3/302")
        assert client.get(url, follow_redirects=True).status_code == 200

    def test_ranges(self, client: Any, ours: HouseServing) -> None:
        response = client.get(ours.serving.https("/digits.txt"), headers={"Range": "bytes=5-8"})
        assert (response.status_code, response.text) == (206, "5678")

    def test_streaming(self, client: Any, ours: HouseServing) -> None:
        with client.stream("GET", ours.serving.https("/echo?size=3000000")) as response:
            assert sum(map(len, response.iter_raw())) > 3000000

    def test_head_and_404(self, client: Any, ours: HouseServing) -> None:
        assert client.head(ours.serving.https("/digits.txt")).headers["content-length"] == "1000"
        assert client.get(ours.serving.https("/none")).status_code == 404


class TestRequests:
    @pytest.fixture
    def session(self, ca_file: str) -> Iterator[Any]:
        requests = find_module("requests")
        with requests.Session() as session:
            session.verify = ca_file
            session.trust_env = False
            yield session

    def test_get(self, session: Any, ours: HouseServing) -> None:
        for _ in range(5):
            version = session.get(ours.serving.https("/echo")).json()["version"]
            assert version in ("HTTP/1.1", "HTTP/2", "HTTP/3")  # that is urllib3's business

    def test_upload_in_chunks(self, session: Any, ours: HouseServing) -> None:
        answer = session.put(ours.serving.https("/upload"), data=parts()).json()
        assert (answer["length"], answer["sha256"]) == (len(CONTENT), DIGEST)

    def test_form_and_redirect(self, session: Any, ours: HouseServing) -> None:
        answer = session.post(ours.serving.http("/redirect/1/307"), data={"a": "b"}).json()
        assert (answer["method"], answer["content"]) == ("POST", "a=b")


def test_http_client(ours: HouseServing) -> None:
    """Of the standard library; a 1.0 request too (RFC 9112 section 9.3: that connection closes)."""
    connection = http.client.HTTPConnection("localhost", ours.serving.port("http"), timeout=20)
    try:
        for _ in range(3):
            connection.request("POST", "/upload", body=parts(), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})  # fmt: skip
            assert json.loads(connection.getresponse().read())["sha256"] == DIGEST
        connection._http_vsn_str = "HTTP/1.0"  # type: ignore[attr-defined]  # there is no other way
        connection.request("GET", "/hello.txt")
        response = connection.getresponse()
        assert response.read() == b"Hello, world!\n"
        assert response.will_close
    finally:
        connection.close()


class TestCurlCffi:
    """A curl with ngtcp2 and nghttp3: it speaks HTTP/3."""

    @pytest.fixture(scope="class")
    def authority(self) -> trustme.CA:
        """One without name constraints: BoringSSL refuses those for IP addresses."""
        return trustme.CA()

    @pytest.fixture(scope="class")
    def ca_file(self, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
        path = tmp_path_factory.mktemp("trustme") / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return str(path)

    @pytest.fixture(scope="class")
    def ours(
        self,
        serve: Serve,
        authority: trustme.CA,
        folder: Path,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> HouseServing:
        path = tmp_path_factory.mktemp("trustme") / "localhost.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
        house = House(str(folder))
        return HouseServing(serve(house, cert=path, key=None), house)

    @pytest.fixture(params=["HTTP/3", "HTTP/2"])
    def session(self, request: pytest.FixtureRequest, ca_file: str) -> Iterator[Any]:
        module = find_module("curl_cffi")
        version = {
            "HTTP/3": module.CurlHttpVersion.V3ONLY,
            "HTTP/2": module.CurlHttpVersion.V2TLS,
        }[request.param]
        with module.Session(verify=ca_file, http_version=version, timeout=60) as session:
            session.expected = request.param
            yield session

    def test_get(self, session: Any, ours: HouseServing) -> None:
        before = len(ours.serving.accepted)
        for _ in range(5):
            response = session.get(ours.serving.https("/echo?size=20000"))
            assert response.status_code == 200
            assert response.json()["version"] == session.expected
        assert ours.serving.accepted[before:] == [session.expected]

    def test_upload(self, session: Any, ours: HouseServing) -> None:
        answer = session.post(ours.serving.https("/upload"), data=CONTENT).json()
        assert (answer["length"], answer["sha256"]) == (len(CONTENT), DIGEST)

    def test_head_ranges_and_conditions(self, session: Any, ours: HouseServing) -> None:
        url = ours.serving.https("/digits.txt")
        head = session.head(url)
        assert (head.headers["content-length"], head.content) == ("1000", b"")
        part = session.get(url, headers={"Range": "bytes=990-"})
        assert (part.status_code, part.content) == (206, b"0123456789")
        same = session.get(url, headers={"If-None-Match": head.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")

    def test_redirects_are_followed(self, session: Any, ours: HouseServing) -> None:
        response = session.get(ours.serving.https("/redirect/3/302"))
        assert (response.status_code, response.redirect_count) == (200, 3)

    def test_content_that_nobody_wants_is_refused(self, session: Any, ours: HouseServing) -> None:
        """RFC 9114 section 4.1: a whole response, then STOP_SENDING with H3_NO_ERROR."""
        response = session.post(ours.serving.https("/refuse"), data=CONTENT)
        assert (response.status_code, response.content) == (413, b"too much")

    def test_trailers_do_no_harm(self, session: Any, ours: HouseServing) -> None:
        assert session.get(ours.serving.https("/trailers")).content == b"first,second"

    @pytest.mark.slow
    @pytest.mark.timeout(200)
    def test_a_big_file(self, session: Any, ours: HouseServing, big_file: str) -> None:
        digest = hashlib.sha256()

        def take(data: bytes) -> int:
            digest.update(data)
            return len(data)

        url = ours.serving.https("/big.bin")
        response = session.get(url, content_callback=take, timeout=180)
        assert response.status_code == 200
        assert digest.hexdigest() == big_file


class TestAioquic:
    """Its own HTTP/3 layer, of which our stack uses nothing."""

    @staticmethod
    async def fetch(port: int, ca_file: str, requests: list[tuple[str, str, bytes]]) -> list[Any]:
        """Send all of them at once on one connection; return status and content of each."""
        from aioquic.asyncio.client import connect
        from aioquic.asyncio.protocol import QuicConnectionProtocol
        from aioquic.h3.connection import H3_ALPN, H3Connection
        from aioquic.h3.events import DataReceived, HeadersReceived
        from aioquic.quic.configuration import QuicConfiguration
        from aioquic.quic.events import QuicEvent

        class Visitor(QuicConnectionProtocol):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self.h3 = H3Connection(self._quic)
                self.answers: dict[int, list[Any]] = {}
                self.done: dict[int, asyncio.Event] = {}

            def quic_event_received(self, event: QuicEvent) -> None:
                for h3_event in self.h3.handle_event(event):
                    if isinstance(h3_event, (HeadersReceived, DataReceived)):
                        answer = self.answers[h3_event.stream_id]
                        if isinstance(h3_event, DataReceived):
                            answer[1] += h3_event.data
                        elif answer[0] is None:
                            answer[0] = dict(h3_event.headers)[b":status"]
                        else:
                            answer[2] = h3_event.headers
                        if h3_event.stream_ended:
                            self.done[h3_event.stream_id].set()

            def send(self, method: str, path: str, content: bytes) -> int:
                stream_id = self._quic.get_next_available_stream_id()
                self.answers[stream_id] = [None, b"", []]
                self.done[stream_id] = asyncio.Event()
                headers = [
                    (b":method", method.encode()), (b":scheme", b"https"),
                    (b":authority", b"localhost:%d" % port), (b":path", path.encode()),
                ]  # fmt: skip
                self.h3.send_headers(stream_id, headers, end_stream=not content)
                if content:
                    self.h3.send_data(stream_id, content, end_stream=True)
                return stream_id

        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
        configuration.load_verify_locations(ca_file)
        async with connect(
            "localhost", port, configuration=configuration, create_protocol=Visitor
        ) as visitor:
            assert isinstance(visitor, Visitor)
            streams = [visitor.send(*request) for request in requests]
            visitor.transmit()
            for stream in streams:
                await asyncio.wait_for(visitor.done[stream].wait(), 40)
            return [visitor.answers[stream] for stream in streams]

    def run(self, ours: HouseServing, ca_file: str, *requests: tuple[str, str, bytes]) -> list[Any]:
        find_module("aioquic")
        return asyncio.run(self.fetch(ours.serving.port(), ca_file, list(requests)))

    def test_many_requests_on_one_connection(self, ours: HouseServing, ca_file: str) -> None:
        requests = [("GET", f"/slow/{number}", b"") for number in range(50)]
        answers = self.run(ours, ca_file, *requests)
        assert [answer[:2] for answer in answers] == [
            [b"200", b"/slow/%d" % number] for number in range(50)
        ]

    def test_upload_and_trailers(self, ours: HouseServing, ca_file: str) -> None:
        upload, trailers = self.run(
            ours, ca_file, ("PUT", "/upload", CONTENT), ("GET", "/trailers", b"")
        )
        assert json.loads(upload[1])["sha256"] == DIGEST
        assert trailers == [b"200", b"first,second", [(b"x-checksum", b"abc")]]
