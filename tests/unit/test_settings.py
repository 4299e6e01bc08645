import re
from pathlib import Path

import pytest

from worker.errors import ConfigError
from worker.gateways import make_adapter
from worker.settings import Rate, Settings, Timers, load_settings, rate_text, rates_of

ROOT = Path(__file__).parents[2]

PROVIDER = """
[providers.acme]
gateway = "cpsms"
username = "acme"
secret = "env:ACME_KEY"
"""


def load(folder: Path, text: str = PROVIDER) -> Settings:
    file = folder / "bulksend.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def refusal(folder: Path, text: str = PROVIDER) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('ledgr = "x"', "ledgr is not a setting; did you mean ledger?"),
        (
            "[other]",
            "other is not a setting; known are: ledger, broker, receipts, metrics, timers, retries, camp",
        ),
        ("ledger = 3", "ledger: input should be a valid string"),
        ('source = "x"', "source is not a setting; remove it"),
        ("[receipts]\nport = 1", "receipts.port is not a setting; known are: listen, public_url"),
        ("[send]\nconfirm = 3", "send.confirm is not a setting; did you mean confirm_above?"),
        ("[optouts]\nhash = true", "optouts.hash is not a setting; did you mean hashed?"),
        ('[timers]\nleas = "1s"', "timers.leas is not a setting; did you mean lease?"),
        ("[timers]\nlease = 30", 'timers.lease: write a time with its unit, such as "10s", "250ms" or'),
        ('[campaigns]\npause_refused = "half"', 'campaigns.pause_refused: write a share such as "50%", or'),
        ('[campaigns]\npause_refused = "100%"', 'campaigns.pause_refused: write a share such as "50%", or'),
        ('zone = "Europe/Kopenhagen"', "zone: 'Europe/Kopenhagen' is not a time zone: did you mean"),
        ("zone = 1", 'zone: write a time zone such as "Europe/Copenhagen"'),
        ("providers = 3", "providers: input should be a valid dictionary"),
        ("ledger =", "is not valid TOML: "),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    said = refusal(tmp_path, text)

    assert sentence in said
    assert said.startswith(str(tmp_path / "bulksend.toml"))


A_TIME = 'write a time with its unit, such as "10s", "250ms" or "5min"'
A_RATE = 'write a rate such as "50/s", "5/min" or ["50/s", "10000/day"]'


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('timout = "10s"', "timout is not a setting; did you mean timeout?"),
        ("timeout = 10", f"timeout: {A_TIME}"),
        ('timeout = "10"', f"timeout: {A_TIME}"),
        ('timeout = "25s"', "timeout: input should be less than or equal to 20"),
        ('timeout = "0s"', "timeout: input should be greater than 0"),
        ('rate = "50"', f"rate: {A_RATE}"),
        ('rate = "0/s"', f"rate: {A_RATE}"),
        ('rate = ["50/s", "x"]', f"rate: {A_RATE}"),
        ('rate = "5/min,"', f"rate: {A_RATE}"),
        ('rate = "1234567890/s"', f"rate: {A_RATE}"),
        ("rate = 50", f"rate: {A_RATE}"),
        ('rate = ["5/min", "50/s", "6/min"]', "rate: two of the rates are for the same time: write one"),
        ('quiet = "9-5"', "quiet: '9-5' are no hours: write them like 09:00-20:00"),
        ('quiet = "21:00-08:00 someday"', "quiet: 'someday' are no weekdays"),
        ("quiet = 21", 'quiet: write hours such as "21:00-08:00"'),
        ('limit_group = "A"', "limit_group: a limit group's name is 1 to 40 lower-case letters, digits,"),
        ('guard = "2s"', "guard: input should be less than or equal to 1"),
        ("guard = 25", f"guard: {A_TIME}"),
        ("connections = 0", "connections: input should be greater than or equal to 1"),
        ("max_recipients = 0", "max_recipients: input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_key_of_a_provider_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    assert f"providers.acme.{sentence}" in refusal(tmp_path, PROVIDER + line)


@pytest.mark.parametrize("key", ["gateway", "username", "secret"])
def test_a_missing_key_of_a_provider_is_named(tmp_path: Path, key: str) -> None:
    lines = [line for line in PROVIDER.splitlines() if not line.startswith(key)]

    assert f"providers.acme.{key} is missing; add it" in refusal(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("timers", "sentence"),
    [
        ('lease = "15s"', "mark_to_write + timeout + 5 s must be shorter than timers.lease"),
        ('slice = "20s"', "mark_to_write + timeout + slice must be shorter than timers.lease"),
        ('mark_to_write = "300ms"', "timers.mark_to_write: input should be less than or equal to 0.25"),
        ('soft_shutdown = "13s"', "timeout + 3 s must be shorter than timers.soft_shutdown"),
        ('visibility = "40s"', "twice horizon + slice + timeout must be shorter than timers.visibility"),
        ('grace = "25s"', "timers: soft_shutdown must be shorter than grace"),
    ],
)
def test_timers_that_contradict_each_other_are_refused(tmp_path: Path, timers: str, sentence: str) -> None:
    assert sentence in refusal(tmp_path, f"{PROVIDER}[timers]\n{timers}")


@pytest.mark.parametrize("name", sorted(Timers.model_fields))
def test_a_timer_of_no_time_is_refused(tmp_path: Path, name: str) -> None:
    assert f"timers.{name}: input should be greater than 0" in refusal(tmp_path, f'[timers]\n{name} = "0s"')


def test_timers_that_just_fit_are_taken(tmp_path: Path) -> None:
    timers = '[timers]\nlease = "15500ms"\nsoft_shutdown = "13500ms"\nvisibility = "40500ms"\ngrace = "14s"'

    assert load(tmp_path, PROVIDER + timers).timers.lease == 15.5


def test_a_value_that_is_refused_is_not_printed(tmp_path: Path) -> None:
    assert "s3cret" not in refusal(tmp_path, PROVIDER.replace('"env:ACME_KEY"', '["s3cret"]'))


def test_a_file_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="run `bulksend init` to write one, or name yours with BULKSEND_CONFIG"
    ):
        load_settings(tmp_path / "bulksend.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"ledger = 'a\xe6'"])
def test_a_file_in_another_encoding_is_said_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bulksend.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_settings(file)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, 'broker = "redis://named"')
    monkeypatch.setenv("BULKSEND_CONFIG", str(tmp_path / "bulksend.toml"))

    assert load_settings().broker == "redis://named"


def test_without_a_name_the_file_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, 'broker = "redis://here"')
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert (settings.broker, settings.directory) == ("redis://here", tmp_path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, f"\ufeff{PROVIDER}").providers["acme"].username == "acme"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BULKSEND_BROKER", "redis://other"), ("BULKSEND_PROVIDERS__ACME__USERNAME", "other")],
)
def test_the_environment_is_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    settings = load(tmp_path, f'broker = "redis://file"\n{PROVIDER}')

    assert value in {settings.broker, settings.providers["acme"].username}
    assert settings.providers["acme"].gateway == "cpsms"


def test_the_environment_sets_one_timer_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKSEND_TIMERS__LEASE", "40s")

    timers = load(tmp_path, '[timers]\ntick = "1s"').timers

    assert (timers.lease, timers.tick) == (40, 1)


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("BULKSEND_LEDGR", "BULKSEND_LEDGR is not a setting; did you mean BULKSEND_LEDGER?"),
        ("BULKSEND_SOURCE", "BULKSEND_SOURCE is not a setting"),
        ("BULKSEND_TIMERS__LEAS", "timers.leas is not a setting; did you mean lease?"),
    ],
)
def test_an_unknown_variable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, "1s")

    assert sentence in refusal(tmp_path)


@pytest.mark.parametrize(
    "variable", ["BULKSEND_TIMERS", "BULKSEND_PROVIDERS", "BULKSEND_PROVIDERS__ACME__OPTIONS"]
)
def test_a_variable_that_is_no_json_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "{")

    assert variable in refusal(tmp_path)


def test_the_environment_sets_a_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKSEND_PROVIDERS__ACME__RATE", "50/s")

    assert load(tmp_path).providers["acme"].rate == (Rate(amount=50, window_s=1),)


def test_variables_of_tests_are_nobodys_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKSEND_TEST_POSTGRES", "postgresql://localhost")

    assert load(tmp_path).broker is None


@pytest.mark.parametrize(
    ("written", "rates"),
    [
        ('"50/s"', [(50, 1)]),
        ('"5/min"', [(5, 60)]),
        ('["50/s", "10000/day"]', [(50, 1), (10_000, 86_400)]),
        ('"10000/day, 500/h,5/min , 50 / s"', [(50, 1), (5, 60), (500, 3600), (10_000, 86_400)]),
        ("[]", []),
    ],
)
def test_rates_are_read_with_their_window(tmp_path: Path, written: str, rates: list[tuple[int, int]]) -> None:
    provider = load(tmp_path, f"{PROVIDER}rate = {written}").providers["acme"]

    assert [(rate.amount, rate.window_s) for rate in provider.rate] == rates


@pytest.mark.parametrize("text", ["50/s", "5/min", "1/s, 2/min, 3/h, 4/day", ""])
def test_a_rate_is_kept_as_it_is_read(text: str) -> None:
    assert rate_text(rates_of(text)) == text


@pytest.mark.parametrize(("written", "seconds"), [("0ms", 0), ("25ms", 0.025), ("1s", 1)])
def test_a_guard_may_be_nothing(tmp_path: Path, written: str, seconds: float) -> None:
    assert load(tmp_path, f'{PROVIDER}guard = "{written}"').providers["acme"].guard == seconds


@pytest.mark.parametrize(
    ("written", "seconds"), [("10s", 10), ("250ms", 0.25), ("0.2min", 12), ("1.5 s", 1.5)]
)
def test_a_time_is_read_with_its_unit(tmp_path: Path, written: str, seconds: float) -> None:
    provider = load(tmp_path, f'{PROVIDER}timeout = "{written}"').providers["acme"]

    assert provider.timeout == seconds


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sqlite:///bulksend.db", "sqlite:///{folder}/bulksend.db"),
        ("sqlite:///data/bulksend.db", "sqlite:///{folder}/data/bulksend.db"),
        ("sqlite:////var/bulksend.db", "sqlite:////var/bulksend.db"),
        ("postgresql+psycopg://user@host/db", "postgresql+psycopg://user@host/db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),  # the ledger refuses these two with what to write
        ("sqlite:///file:x.db?uri=true", "sqlite:///file:x.db?uri=true"),
    ],
)
def test_the_path_of_a_ledger_is_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    monkeypatch.chdir("/")

    assert load(tmp_path, f'ledger = "{written}"').ledger == read.format(folder=tmp_path)


def test_the_ledger_of_the_environment_is_relative_to_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKSEND_LEDGER", "sqlite:///other.db")

    assert load(tmp_path).ledger == f"sqlite:///{tmp_path}/other.db"


def test_the_example_is_sound(tmp_path: Path) -> None:
    example = (ROOT / "producer" / "cli" / "example.toml").read_text(encoding="utf-8")

    settings = load(tmp_path, example)

    assert settings.ledger == f"sqlite:///{tmp_path}/bulksend.db"
    assert [provider.gateway for provider in settings.providers.values()] == ["cpsms"]


def test_what_the_example_shows_commented_out_is_sound_too(tmp_path: Path) -> None:
    example = (ROOT / "producer" / "cli" / "example.toml").read_text(encoding="utf-8")
    whole = re.sub(r"^# (?=\w+ = |\[)", "", example, flags=re.MULTILINE)

    settings = load(tmp_path, whole)

    (provider,) = settings.providers.values()
    adapter = make_adapter(provider.gateway, username="acme", secret="-", dialect=provider.dialect)
    assert (str(settings.receipts.listen), provider.dialect) == ("127.0.0.1:8026", {"dlr_codes": "2016"})
    assert provider.options.keys() <= adapter.capabilities.options


# --- where delivery reports come in


def test_reports_are_taken_in_on_this_machine_unless_told_otherwise(tmp_path: Path) -> None:
    receipts = load(tmp_path).receipts

    assert (receipts.listen, receipts.public_url) == (("127.0.0.1", 8026), None)


@pytest.mark.parametrize("written", ["https://sms.example.org", "https://sms.example.org/a/"])
def test_a_public_address_has_no_slash_at_its_end(tmp_path: Path, written: str) -> None:
    receipts = load(tmp_path, f'[receipts]\npublic_url = "{written}"').receipts

    assert receipts.public_url == written.rstrip("/")


@pytest.mark.parametrize(
    "written",
    ["sms.example.org", "ftp://x", "https://", "https://a b", "https://x?y", "https://x#y", "https://u@x"],
)
def test_a_public_address_is_a_plain_one(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match=r"receipts\.public_url: write where gateways reach this machine"):
        load(tmp_path, f'[receipts]\npublic_url = "{written}"')


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().broker = "redis://other"


# --- where metrics are told


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [("127.0.0.1:8027", "127.0.0.1", 8027), ("localhost:1", "localhost", 1), ("[::1]:65535", "::1", 65535)],
)
def test_an_address_is_read_and_written_in_one_way(
    tmp_path: Path, written: str, host: str, port: int
) -> None:
    address = load(tmp_path, f'metrics = "{written}"').metrics

    assert address == (host, port)
    assert str(address) == written


@pytest.mark.parametrize(
    "written",
    ['""', '"8027"', '":8027"', '"127.0.0.1"', '"a:0"', '"::1:80"', '"a:65536"', "8027", "[]"],
)
def test_what_is_no_address_is_refused(tmp_path: Path, written: str) -> None:
    said = refusal(tmp_path, f"metrics = {written}")

    assert 'metrics: write an address with its port, such as "127.0.0.1:8027"' in said


def test_an_address_comes_from_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKSEND_METRICS", "10.0.0.7:8027")

    assert load(tmp_path).metrics == ("10.0.0.7", 8027)


def test_without_an_address_nothing_listens(tmp_path: Path) -> None:
    assert load(tmp_path).metrics is None


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ('quiet = "21:00-08:00"', ["21:00-08:00"]),
        ('quiet = ["21:00-08:00", "00:00-24:00 sun"]', ["21:00-08:00", "00:00-24:00 sun"]),
        ("", []),
    ],
)
def test_quiet_hours_are_read(tmp_path: Path, line: str, written: list[str]) -> None:
    found = load(tmp_path, f"{PROVIDER}{line}\n").providers["acme"].quiet

    assert list(map(str, found)) == written


@pytest.mark.parametrize(
    ("line", "zone"),
    [("zone = 'europe/copenhagen'", "Europe/Copenhagen"), ("zone = 'Recipient'", "recipient"), ("", None)],
)
def test_a_zone_is_read(tmp_path: Path, line: str, zone: str | None) -> None:
    assert load(tmp_path, f"{line}\n{PROVIDER}").zone == zone
