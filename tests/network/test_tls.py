"""TLS contexts: what they trust and show, that they are shared, and what is wrong with files."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from h123.network import tls
from h123.network.connect import start_tls
from h123.network.memory import MemoryBackend, memory_pair
from h123.network.tls import client_context, default_ca_file, server_context


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No context of another test, and no environment."""
    monkeypatch.setattr(tls, "_cache", {})
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def accepts(client: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    """Return whether these two shake hands."""
    backend = MemoryBackend()
    ends = memory_pair()
    try:
        backend.run(
            start_tls(backend, ends[0], client, "localhost", 10),
            start_tls(backend, ends[1], server, None, 10, server_side=True),
        )
    except ssl.SSLError:
        return False
    return True


@pytest.fixture
def password_key(files: Any, tmp_path: Path) -> str:
    """The key of `files`, encrypted with "secret"."""
    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    path = tmp_path / "encrypted.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return str(path)


class TestTrust:
    def test_a_file_of_authorities(self, files: Any) -> None:
        server = server_context(files.chain, files.key)
        assert accepts(client_context(files.ca), server)
        assert accepts(client_context(Path(files.ca)), server)
        assert not accepts(client_context(files.other_ca), server)
        assert accepts(client_context(False), server)

    def test_a_folder_with_any_names(self, files: Any, tmp_path: Path) -> None:
        shutil.copy(files.other_ca, tmp_path / "a.pem")
        shutil.copy(files.ca, tmp_path / "b.crt")
        (tmp_path / "README").write_text("no certificate")
        assert accepts(client_context(tmp_path), server_context(files.both))

    def test_a_folder_with_openssl_names(self, files: Any, tmp_path: Path) -> None:
        # OpenSSL looks for the hash of the subject as a name, and reads nothing else.
        shutil.copy(files.ca, tmp_path / "00000000.0")
        shutil.copy(files.ca, tmp_path / "ca.pem")
        assert not accepts(client_context(tmp_path), server_context(files.both))

    def test_the_operating_system_by_default(self, files: Any) -> None:
        context = client_context()
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert not accepts(context, server_context(files.both))

    def test_the_environment_takes_its_place(
        self, files: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = client_context()
        monkeypatch.setenv("SSL_CERT_FILE", files.ca)
        assert client_context() is not system
        assert accepts(client_context(), server_context(files.both))
        assert default_ca_file() == files.ca

    @pytest.mark.parametrize("in_file", [1, 2])
    def test_a_system_that_keeps_its_authorities_twice(
        self, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_file: int
    ) -> None:
        """Only a file with as many as the folder has is passed over: people append to such files."""
        folder, bundle = tmp_path / "folder", tmp_path / "bundle.pem"
        folder.mkdir()
        shutil.copy(files.other_ca, folder / "00000000.0")
        bundle.write_bytes(Path(files.ca).read_bytes() * in_file)
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        monkeypatch.setenv("SSL_CERT_DIR", str(folder))
        assert accepts(client_context(), server_context(files.both)) is (in_file == 2)

    def test_a_system_whose_store_openssl_does_not_know(
        self, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        monkeypatch.setattr(tls, "_AUTHORITY_FILES", (str(tmp_path / "absent"), files.ca))
        assert default_ca_file() == files.ca
        assert accepts(client_context(), server_context(files.both))

    def test_a_system_without_any_store(
        self, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "absent"))
        monkeypatch.setattr(tls, "_AUTHORITY_FILES", ())
        assert default_ca_file() is None
        assert not accepts(client_context(), server_context(files.both))

    def test_elsewhere_truststore_speaks_to_the_system(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import truststore

        monkeypatch.setattr("sys.platform", "darwin")
        assert isinstance(client_context(), truststore.SSLContext)

    def test_a_context_of_the_callers_own(self, files: Any) -> None:
        own = files.client()
        assert client_context(own) is own
        assert client_context(own, alpn=("h2",)) is own
        with pytest.raises(ValueError, match="load the client certificate into the context"):
            client_context(own, files.both)


class TestSettings:
    @pytest.mark.parametrize("side", ["client", "server"])
    def test_tls_1_2_is_the_oldest(self, files: Any, side: str) -> None:
        context = client_context(False) if side == "client" else server_context(files.both)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION

    def test_rfc_9113_section_9_2_2_a_server_has_only_ciphers_that_http_2_allows(
        self, files: Any
    ) -> None:
        for cipher in server_context(files.both).get_ciphers():
            assert cipher["aead"]
            assert cipher["protocol"] == "TLSv1.3" or cipher["name"].startswith("ECDHE-")

    def test_secrets_are_logged_where_asked(
        self, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = tmp_path / "keys"
        monkeypatch.setenv("SSLKEYLOGFILE", str(log))
        assert accepts(client_context(files.ca), server_context(files.both))
        assert "CLIENT_HANDSHAKE_TRAFFIC_SECRET" in log.read_text()


class TestSharing:
    def test_one_configuration_is_one_context(self, files: Any) -> None:
        assert client_context() is client_context()
        assert client_context(files.ca) is client_context(Path(files.ca))
        assert server_context(files.both) is server_context(files.both)
        pair = (files.chain, files.key)
        assert client_context(files.ca, pair) is client_context(files.ca, pair)

    def test_another_configuration_is_another(self, files: Any) -> None:
        contexts = [
            client_context(),
            client_context(False),
            client_context(files.ca),
            client_context(files.ca, files.both),
            client_context(files.ca, (files.chain, files.key)),
            client_context(files.ca, alpn=("h2",)),
            client_context(files.ca, alpn=("h2", "http/1.1")),
            server_context(files.both),
            server_context(files.both, alpn=("h2",)),
        ]
        assert len(set(contexts)) == len(contexts)

    def test_a_file_that_changed_is_read_again(self, files: Any, tmp_path: Path) -> None:
        ca = tmp_path / "ca.pem"
        shutil.copy(files.other_ca, ca)
        before = client_context(ca)
        shutil.copy(files.ca, ca)
        os.utime(ca, ns=(1, 1))
        assert client_context(ca) is not before
        assert accepts(client_context(ca), server_context(files.both))

    def test_the_longest_unused_are_forgotten(
        self, files: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tls, "_CACHE_SIZE", 2)
        first = client_context(False, alpn=("1",))
        second = client_context(False, alpn=("2",))
        assert client_context(False, alpn=("1",)) is first
        client_context(False, alpn=("3",))
        assert client_context(False, alpn=("1",)) is first
        assert client_context(False, alpn=("2",)) is not second
        assert len(tls._cache) == 2


class TestWrongFiles:
    def test_files_that_are_missing(self, files: Any, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing.pem")
        builds: list[Callable[[], object]] = [
            lambda: client_context(missing),
            lambda: client_context(files.ca, missing),
            lambda: server_context(missing),
            lambda: server_context(files.chain, missing),
        ]
        for build in builds:
            with pytest.raises(FileNotFoundError) as caught:
                build()
            assert str(caught.value) == f"cannot read {missing}: no such file or folder"

    def test_a_folder_instead_of_a_certificate(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError, match="cannot read"):
            server_context(tmp_path)

    def test_authorities_that_are_none(self, files: Any, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"key\.pem holds no certificate in PEM form$"):
            client_context(files.key)
        with pytest.raises(
            ValueError, match=r"holds no certificates: no \.pem, \.crt or \.cer file"
        ):
            client_context(tmp_path)
        (tmp_path / "a.pem").symlink_to(tmp_path / "nowhere")
        with pytest.raises(
            FileNotFoundError, match=r"cannot read .*a\.pem: no such file or folder"
        ):
            client_context(tmp_path)

    def test_a_certificate_without_its_key(self, files: Any) -> None:
        with pytest.raises(ValueError, match=r"chain\.pem holds no private key in PEM form; give"):
            server_context(files.chain)

    def test_a_key_without_its_certificate(self, files: Any) -> None:
        with pytest.raises(ValueError, match=r"key\.pem holds no certificate in PEM form$"):
            server_context(files.key)

    def test_a_key_of_another_certificate(self, files: Any) -> None:
        with pytest.raises(
            ValueError, match=r"other-key\.pem is not that of the certificate in .*ch"
        ):
            server_context(files.chain, files.other_key)

    def test_a_key_of_another_kind(self, files: Any, tmp_path: Path) -> None:
        key = tmp_path / "rsa.pem"
        leaf = files.authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
        leaf.private_key_pem.write_to_path(str(key))
        with pytest.raises(ValueError, match=r"rsa\.pem is not that of the certificate in"):
            server_context(files.chain, key)

    def test_a_password(self, files: Any, password_key: str) -> None:
        assert accepts(
            client_context(files.ca), server_context(files.chain, password_key, "secret")
        )
        client_context(files.ca, (files.chain, password_key, "secret"))
        with pytest.raises(
            ValueError, match="its password is wrong, or it or the certificate is dam"
        ):
            server_context(files.chain, password_key, "wrong")
        with pytest.raises(ValueError, match=r"encrypted\.pem needs its password$"):
            server_context(files.chain, password_key)

    def test_a_key_that_is_damaged(self, files: Any, tmp_path: Path) -> None:
        key = tmp_path / "damaged.pem"
        lines = Path(files.key).read_text().splitlines(keepends=True)
        key.write_text(lines[0] + "AAAA\n" + lines[-1])
        with pytest.raises(ValueError, match=r"damaged\.pem with the certificate in .*is damaged"):
            server_context(files.chain, key)


def test_a_context_that_failed_is_not_kept(files: Any) -> None:
    with pytest.raises(ValueError, match="holds no private key"):
        server_context(files.chain)
    assert not tls._cache
