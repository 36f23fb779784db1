"""What is set about security goes together, or refuses to start; a secret is in nothing that anybody sees."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.security.certificates import Authority, Identity
from worker.broker import clients
from worker.settings import Settings, SettingsError, load
from worker.settings.security import is_loopback
from worker.store.engine import create_engine

SECRET = "s3same"  # noqa: S105 - it is looked for
ELSEWHERE = "postgresql+asyncpg://billing@db.example/billing"
HERE = "postgresql+asyncpg://billing@127.0.0.1/billing"

NOT_USED = "is not used with plaintext; BILLING_KAFKA__SECURITY_PROTOCOL"
NO_PAIR = "must be a certificate and its key in PEM, the key not encrypted or with its password"
NEIGHBOURS = "BILLING_DATABASE__TLS, BILLING_DATABASE__CA_FILE and their neighbours"

Load = Callable[..., Settings]


@pytest.fixture
def set_(monkeypatch: pytest.MonkeyPatch) -> Load:
    """The settings of an environment; names without `BILLING_`."""

    def set_(**settings: object) -> Settings:
        for name in [name for name in os.environ if name.startswith("BILLING_")]:
            monkeypatch.delenv(name)
        for name, value in settings.items():
            monkeypatch.setenv(f"BILLING_{name}", str(value))
        return load()

    return set_


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.sign("settings", password=SECRET)


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.mark.parametrize(
    ("host", "is_so"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("::1", True),
        ("[::1]", True),
        ("/var/run/postgresql", True),
        ("", True),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - whoever is asked
        ("kafka", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(host: str, is_so: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is is_so


@pytest.mark.parametrize(
    "settings",
    [
        {"KAFKA__BOOTSTRAP_SERVERS": "kafka:9092"},
        {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092, kafka:9092"},
        {"KAFKA__SECURITY_PROTOCOL": "sasl_plaintext", "KAFKA__USERNAME": "worker", "KAFKA__PASSWORD": SECRET},
        {"DATABASE__URL": ELSEWHERE, "DATABASE__TLS": "disable"},
        {"DATABASE__OWNER_URL": ELSEWHERE, "DATABASE__TLS": "disable"},
        {"DATABASE__URL": "postgresql+asyncpg://billing@/billing?host=db.example:5432", "DATABASE__TLS": "disable"},
    ],
)
def test_nothing_goes_in_the_clear_to_another_machine_unless_somebody_says_so(
    set_: Load, settings: dict[str, str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        set_(**settings)

    (line,) = str(refused.value).splitlines()
    assert line.startswith(("BILLING_KAFKA__SECURITY_PROTOCOL: ", "BILLING_DATABASE__TLS: "))
    assert line.endswith("or BILLING_ALLOW_INSECURE=true to take that on yourself")
    assert SECRET not in line
    assert set_(ALLOW_INSECURE="true", **settings).allow_insecure


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"KAFKA__BOOTSTRAP_SERVERS": "localhost:9092,[::1]:9093,127.0.0.2:9094", "DATABASE__TLS": "disable"},
        {"DATABASE__URL": "postgresql+asyncpg://billing@/billing?host=/var/run/postgresql", "DATABASE__TLS": "disable"},
        {"KAFKA__BOOTSTRAP_SERVERS": "kafka:9093", "KAFKA__SECURITY_PROTOCOL": "ssl", "DATABASE__URL": ELSEWHERE},
        {"KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "KAFKA__USERNAME": "worker", "KAFKA__PASSWORD": SECRET},
    ],
)
def test_what_stays_here_or_is_encrypted_needs_no_such_word(set_: Load, settings: dict[str, str]) -> None:
    assert set_(**settings).allow_insecure is False


def test_a_machine_that_only_the_environment_of_the_driver_names_is_another_one_too(
    set_: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")

    with pytest.raises(SettingsError, match="names another machine"):
        set_(DATABASE__URL="postgresql+asyncpg://billing@/billing", DATABASE__TLS="disable")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"KAFKA__SECURITY_PROTOCOL": "sasl_ssl"},
            [
                "BILLING_KAFKA__USERNAME: sasl_ssl needs one",
                "BILLING_KAFKA__PASSWORD_FILE: sasl_ssl needs a password, in this file or in BILLING_KAFKA__PASSWORD",
            ],
        ),
        (
            {"KAFKA__USERNAME": "worker", "KAFKA__PASSWORD": SECRET},
            [
                f"BILLING_KAFKA__USERNAME: {NOT_USED}=sasl_ssl uses it",
                f"BILLING_KAFKA__PASSWORD: {NOT_USED}=sasl_ssl uses it",
            ],
        ),
        (
            {"KAFKA__CA_FILE": "{authority}"},
            [
                f"BILLING_KAFKA__CA_FILE: {NOT_USED}=ssl or sasl_ssl uses it",
            ],
        ),
        (
            {"KAFKA__SECURITY_PROTOCOL": "ssl", "KAFKA__CERTIFICATE_FILE": "{certificate}"},
            ["BILLING_KAFKA__KEY_FILE: is missing, and a certificate is of no use without its key"],
        ),
        (
            {"KAFKA__SECURITY_PROTOCOL": "ssl", "KAFKA__KEY_FILE": "{key}"},
            ["BILLING_KAFKA__CERTIFICATE_FILE: is missing, and a key is of no use without its certificate"],
        ),
        (
            {"KAFKA__SECURITY_PROTOCOL": "ssl", "KAFKA__KEY_PASSWORD": SECRET},
            ["BILLING_KAFKA__KEY_FILE: is missing, and there is a password for it"],
        ),
        (
            {
                "KAFKA__SECURITY_PROTOCOL": "sasl_ssl",
                "KAFKA__USERNAME": "worker",
                "KAFKA__PASSWORD": SECRET,
                "KAFKA__PASSWORD_FILE": "{password}",
            },
            ["BILLING_KAFKA__PASSWORD: set it or BILLING_KAFKA__PASSWORD_FILE, not both"],
        ),
        (
            # whoever takes the one for the other has the password itself where the path belongs
            {"KAFKA__SECURITY_PROTOCOL": "sasl_ssl", "KAFKA__USERNAME": "worker", "KAFKA__PASSWORD_FILE": SECRET},
            ["BILLING_KAFKA__PASSWORD_FILE: the file cannot be read: No such file or directory"],
        ),
        (
            {"KAFKA__SECURITY_PROTOCOL": "ssl", "KAFKA__CA_FILE": "{password}"},
            ["BILLING_KAFKA__CA_FILE: the file holds no certificate in PEM"],
        ),
        (
            {
                "KAFKA__SECURITY_PROTOCOL": "ssl",
                "KAFKA__CERTIFICATE_FILE": "{certificate}",
                "KAFKA__KEY_FILE": "{key}",
                "KAFKA__KEY_PASSWORD": f"not {SECRET}",
            },
            [
                f"BILLING_KAFKA__CERTIFICATE_FILE: it and BILLING_KAFKA__KEY_FILE {NO_PAIR}",
            ],
        ),
        (
            {"DATABASE__URL": f"postgresql+asyncpg://billing:{SECRET}@localhost/billing?sslmode=require"},
            [
                f"BILLING_DATABASE__URL: sslmode is not said in the URL: {NEIGHBOURS} say it",
            ],
        ),
        (
            {
                "DATABASE__URL": f"postgresql+asyncpg://billing:{SECRET}@localhost/billing",
                "DATABASE__PASSWORD_FILE": "{password}",
            },
            ["BILLING_DATABASE__PASSWORD_FILE: BILLING_DATABASE__URL has a password already; take one of them away"],
        ),
        (
            {"DATABASE__OWNER_PASSWORD_FILE": "{password}"},
            ["BILLING_DATABASE__OWNER_PASSWORD_FILE: is of no use without BILLING_DATABASE__OWNER_URL"],
        ),
        (
            {"DATABASE__TLS": "disable", "DATABASE__CA_FILE": "{authority}"},
            ["BILLING_DATABASE__CA_FILE: is not used with BILLING_DATABASE__TLS=disable"],
        ),
        (
            {"DATABASE__URL": "postgresql+asyncpg://billing@/billing?host=/run", "DATABASE__TLS": "verify-full"},
            ["BILLING_DATABASE__TLS: BILLING_DATABASE__URL names a Unix socket, which speaks no TLS"],
        ),
        (
            {"DATABASE__TLS": "verify-ca"},
            ["BILLING_DATABASE__TLS: Input should be 'verify-full' or 'disable'"],
        ),
    ],
)
def test_settings_that_do_not_go_together_refuse_to_start_and_say_what_to_do(
    set_: Load,
    settings: dict[str, str],
    lines: list[str],
    authority: Authority,
    identity: Identity,
    password: Path,
) -> None:
    files = {
        "authority": authority.file,
        "certificate": identity.certificate,
        "key": identity.key,
        "password": password,
    }
    with pytest.raises(SettingsError) as refused:
        set_(**{name: value.format(**files) for name, value in settings.items()})

    said = str(refused.value).splitlines()
    assert [line.partition(" (")[0] for line in said] == lines
    assert SECRET not in str(refused.value)


def test_secrets_are_in_no_description_of_the_settings(
    set_: Load, authority: Authority, identity: Identity, password: Path
) -> None:
    settings = set_(
        KAFKA__SECURITY_PROTOCOL="sasl_ssl",
        KAFKA__USERNAME="worker",
        KAFKA__PASSWORD=SECRET,
        KAFKA__CA_FILE=authority.file,
        KAFKA__CERTIFICATE_FILE=identity.certificate,
        KAFKA__KEY_FILE=identity.key,
        KAFKA__KEY_PASSWORD=SECRET,
        DATABASE__URL=HERE,
        DATABASE__PASSWORD_FILE=password,
        DATABASE__OWNER_URL=f"postgresql+asyncpg://owner:{SECRET}@127.0.0.1/billing",
    )

    assert SECRET not in repr(settings) + str(settings) + repr(settings.kafka) + repr(settings.database)
    assert make_url(settings.database.url).password == SECRET


def test_a_password_is_read_anew_for_every_client_of_kafka(set_: Load, password: Path) -> None:
    settings = set_(KAFKA__SECURITY_PROTOCOL="sasl_ssl", KAFKA__USERNAME="worker", KAFKA__PASSWORD_FILE=password)
    before = clients.connection(settings.kafka)["sasl_plain_password"]
    password.write_bytes(b"another one\r\n")

    after = clients.connection(settings.kafka)["sasl_plain_password"]

    assert (before, after) == (SECRET, "another one")


def test_every_client_verifies_the_name_of_the_broker(set_: Load, authority: Authority) -> None:
    context = set_(KAFKA__SECURITY_PROTOCOL="ssl", KAFKA__CA_FILE=authority.file).kafka.tls_context()

    assert context is not None
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert context.minimum_version.name == "TLSv1_2"


def test_a_database_of_which_nothing_is_said_keeps_its_url(set_: Load) -> None:
    assert set_(DATABASE__URL=ELSEWHERE, DATABASE__OWNER_URL=HERE).database.owner_url == HERE
    assert set_(DATABASE__URL=ELSEWHERE).database.url == ELSEWHERE


@pytest.mark.parametrize(
    ("url", "is_verified"),
    [(ELSEWHERE, True), ("postgresql+asyncpg://billing@/billing?host=10.0.0.1:5432", True), (HERE, False)],
)
def test_a_database_on_another_machine_is_verified_unless_something_else_is_said(
    url: str,
    is_verified: bool,  # noqa: FBT001
) -> None:
    parameters: dict[str, object] = {}
    for before_connecting in create_engine(url).sync_engine.dialect.dispatch.do_connect:
        before_connecting(None, None, (), parameters)

    if is_verified:
        context = parameters["ssl"]
        assert isinstance(context, ssl.SSLContext)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    else:
        assert parameters == {}
