"""A Grafana behind an authority of one's own: the browser trusts that authority, and checks everything else as ever."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from belvedere.kernel.secret import Secret
from belvedere.previews import trust
from belvedere.previews.capture import Chromium
from belvedere.previews.model import CaptureFailed, Entry

from .conftest import Site
from .test_grafana_capture import SMALL, TOKEN, board, with_browser


class Authority:
    """Signs certificates; `pem` is its own."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(**{word: word == "key_cert_sign" for word in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        )})
        extensions = [(x509.BasicConstraints(ca=True, path_length=None), True), (usage, True)]
        self.pem = self._signed(self.name, self.key, extensions)

    def sign(self, folder: Path, host: x509.GeneralName) -> tuple[bytes, Path]:
        """Make a server's certificate; return it, and the file of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "grafana")])
        made = self._signed(own, key, [(x509.SubjectAlternativeName([host]), False)])
        file = folder / "server.key"
        file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        return made, file

    def _signed(self, subject, key, extensions) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


HERE = x509.IPAddress(ip_address("127.0.0.1"))


def behind(site: Site, chain: bytes, key: Path, folder: Path) -> str:
    """Put a site behind TLS and return its address."""
    context, file = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), folder / "chain.pem"
    file.write_bytes(chain)
    context.load_cert_chain(file, key)
    server = site._server
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return site.url.replace("http:", "https:")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    made = Authority("ours")
    (tmp_path / "ca.pem").write_bytes(b"A comment.\n" + Authority("an older one").pem + made.pem)
    return made


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    return Chromium(place=tmp_path / "browsers", shape=SMALL, ca_file=str(tmp_path / "ca.pem"))


@with_browser
def test_a_grafana_behind_the_authority_of_the_file_is_captured(chromium, site, ours, tmp_path) -> None:
    url = behind(site, *ours.sign(tmp_path, HERE), tmp_path)
    board(site, "http://127.0.0.1:9", panels=2)
    film = chromium.film(f"{url}/d/b1?orgId=2", tmp_path, Entry(url, Secret(TOKEN)))
    assert (film.width, film.flaw) == (640, "")
    assert site.tokens["/d/b1?orgId=2"] == f"Bearer {TOKEN}"


@with_browser
@pytest.mark.parametrize("wrong", ["another authority, with ours shown besides", "another name"])
def test_any_other_certificate_is_refused_and_no_token_leaves(chromium, site, ours, tmp_path, wrong) -> None:
    if wrong == "another name":
        chain, key = ours.sign(tmp_path, x509.DNSName("elsewhere"))
    else:
        theirs, key = Authority("theirs").sign(tmp_path, HERE)
        chain = theirs + ours.pem
    url = behind(site, chain, key, tmp_path)
    with pytest.raises(CaptureFailed, match="ERR_CERT"):
        chromium.film(f"{url}/d/b1?orgId=2", tmp_path, Entry(url, Secret(TOKEN)))
    assert site.seen == []


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
                                  "-----BEGIN CERTIFICATE-----\nAAAA"])
def test_a_file_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="it holds"):
        trust.certificates(text)


@with_browser
def test_a_file_that_cannot_be_used_is_a_failed_attempt(tmp_path: Path) -> None:
    camera = Chromium(place=tmp_path / "browsers", shape=SMALL, ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(CaptureFailed, match="BELVEDERE_GRAFANA_CA_FILE: No such file"):
        camera.film("https://127.0.0.1:9/d/b1", tmp_path, Entry("https://127.0.0.1:9", Secret(TOKEN)))
    assert list((tmp_path / "browsers").iterdir()) == []
