"""The local certificate authority: made once, kept private, renewed in time."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from h123.network import certificates
from h123.network.certificates import LocalCertificate, data_folder, local_certificate
from h123.network.connect import start_tls
from h123.network.memory import MemoryBackend, memory_pair
from h123.network.tls import client_context, server_context

DAY = datetime.timedelta(days=1)


def read(path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(path).read_bytes())


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def trusted(files: LocalCertificate, authority_file: str, name: str) -> bool:
    backend = MemoryBackend()
    ends = memory_pair()
    server = server_context(files.chain_file, files.key_file)
    try:
        backend.run(
            start_tls(backend, ends[0], client_context(authority_file), name, 10),
            start_tls(backend, ends[1], server, None, 10, server_side=True),
        )
    except ssl.SSLCertVerificationError:
        return False
    return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "h123"


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the module believe that it is later."""

    def to(days: float) -> None:
        monkeypatch.setattr(
            certificates, "_now", lambda: datetime.datetime.now(datetime.UTC) + days * DAY
        )

    return to


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_one_who_trusts_the_authority_trusts_localhost(folder: Path, name: str) -> None:
    files = local_certificate(folder)
    assert trusted(files, files.authority_file, name)
    assert not trusted(files, files.authority_file, "example.test")


def test_it_is_made_once(folder: Path) -> None:
    first = local_certificate(folder)
    before = content(folder)
    second = local_certificate(str(folder))
    assert content(folder) == before
    assert first.chain_file == second.chain_file
    assert repr(first) == f"<LocalCertificate {folder}/localhost.pem>"


def test_keys_are_for_the_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        local_certificate(folder)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes["authority-key.pem"] == modes["localhost-key.pem"] == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_open_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    local_certificate(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_what_the_certificates_say(folder: Path) -> None:
    """RFC 5280 sections 4.2.1.9 and 4.2.1.10: the authority is good for this machine's names alone."""
    files = local_certificate(folder)
    authority, leaf = read(files.authority_file), read(files.chain_file)
    name = authority.subject.rfc4514_string()
    assert name.startswith("CN=h123 local development (")
    assert name.endswith("O=h123")
    life = authority.not_valid_after_utc - authority.not_valid_before_utc
    assert 3650 * DAY <= life < 3651 * DAY
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= 397 * DAY
    basic = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert [name.value for name in constraints.value.permitted_subtrees or []] == ["localhost"]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (365, False), (367, True), (500, True)])
def test_the_certificate_is_renewed_when_under_a_month_is_left(
    folder: Path, travel: Any, days: int, renewed: bool
) -> None:
    before = content(local_certificate_folder(folder))
    travel(days)
    files = local_certificate(folder)
    after = content(folder)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == ({"localhost.pem"} if renewed else set())
    assert read(files.chain_file).issuer == read(files.authority_file).subject


def local_certificate_folder(folder: Path) -> Path:
    local_certificate(folder)
    return folder


@pytest.mark.parametrize("days", [3000, 3630])
def test_at_the_end_of_the_authoritys_life(folder: Path, travel: Any, days: int) -> None:
    """It is renewed with the same key, and a certificate never outlives it."""
    before = read(local_certificate(folder).authority_file)
    travel(days)
    files = local_certificate(folder)
    authority = read(files.authority_file)
    assert authority.public_key() == before.public_key()
    assert (authority != before) is (days == 3630)
    assert read(files.chain_file).not_valid_after_utc <= authority.not_valid_after_utc


def test_what_a_renewed_authority_issued_is_trusted_by_the_old(folder: Path, travel: Any) -> None:
    files = local_certificate(folder)
    old = folder / "old.pem"
    old.write_bytes(Path(files.authority_file).read_bytes())
    travel(3630)
    local_certificate(folder)
    travel(0)
    leaf = read(files.chain_file)
    leaf.verify_directly_issued_by(read(str(old)))


@pytest.mark.parametrize(
    "name", ["authority.pem", "authority-key.pem", "localhost.pem", "localhost-key.pem"]
)
@pytest.mark.parametrize("damage", [None, b"", b"not PEM", "other"])
def test_a_file_that_is_lost_or_damaged_is_made_again(
    folder: Path, tmp_path: Path, files: Any, name: str, damage: Any
) -> None:
    local_certificate(folder)
    path = folder / name
    if damage is None:
        path.unlink()
    elif damage == "other":
        path.write_bytes(Path(files.other_key if "key" in name else files.ca).read_bytes())
    else:
        path.write_bytes(damage)
    again = local_certificate(folder)
    assert trusted(again, again.authority_file, "localhost")


def test_a_key_of_another_kind_is_replaced(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    files = local_certificate(folder)
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    Path(files.key_file).write_bytes(pem)
    local_certificate(folder)
    assert trusted(files, files.authority_file, "localhost")


def test_what_a_killed_process_left_behind_is_no_hindrance(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "authority-key.pem.new").write_text("half a key")
    local_certificate(folder)
    assert not list(folder.glob("*.new"))


def test_nothing_is_left_behind_when_writing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=rf"^cannot keep a certificate in {folder}: No space left"):
        local_certificate(folder)
    assert [path.name for path in folder.iterdir()] == ["lock"]


def make(folder: str, barrier: Any) -> None:
    barrier.wait(20)
    local_certificate(folder)


def test_processes_that_start_at_once_get_the_same(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    processes = [context.Process(target=make, args=(str(folder), barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 4
    before = content(folder)
    files = local_certificate(folder)
    assert content(folder) == before
    assert trusted(files, files.authority_file, "localhost")


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(OSError, match=rf"^cannot keep a certificate in {place}: "):
        local_certificate(place)


def test_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert data_folder() == str(tmp_path / ".local/share/h123")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_folder() == str(tmp_path / "xdg/h123")
    assert local_certificate().chain_file == str(tmp_path / "xdg/h123/localhost.pem")


def test_a_user_without_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    files = local_certificate(folder)
    assert f"({os.getuid()}@" in read(files.authority_file).subject.rfc4514_string()
