"""The shape of the settings: every key, its type and its default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from worker.settings.address import Address, read_address
from worker.settings.campaigns import Campaigns, Notice, OptOuts, Send
from worker.settings.hours import read_quiet, read_zone
from worker.settings.rates import Rate, read_rates
from worker.settings.values import Duration, Frozen, GroupName, Guard, Price, ProviderName
from worker.timing.hours import Hours

DEFAULT_FILE = "bulksend.toml"
_VISIBLE = re.compile(r"[!\"$->@-~]+")  # printable ASCII without what begins a query or a fragment


class Provider(Frozen):
    """One configured account at a gateway."""

    gateway: str
    base_url: str | None = None
    username: str
    secret: str
    sender: str | None = None
    country: str | None = None
    countries: tuple[str, ...] = ()  # the only ones that are sent to; none: all
    denied_countries: tuple[str, ...] = ()
    rate: Annotated[tuple[Rate, ...], BeforeValidator(read_rates)] = ()
    unit: Literal["parts", "messages", "requests"] = "parts"
    udh: Literal[8, 16] = 8  # bits of the number that joins the parts of a text
    connections: int = Field(default=16, ge=1, le=1000)
    limit_group: GroupName | None = None
    guard: Guard = 0.025
    max_recipients: int | None = Field(default=None, ge=1)
    price: Price | None = None
    fallback: str | None = None
    quiet: Annotated[tuple[Hours, ...], BeforeValidator(read_quiet)] = ()  # nothing leaves, where it arrives
    timeout: Annotated[Duration, Field(le=20)] = 10.0
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    dialect: dict[str, str | int | bool] = Field(default_factory=dict)  # how this brand's API differs


def _public_url(value: object) -> object:
    parts = urlsplit(value) if isinstance(value, str) else None
    is_plain = parts is not None and parts.scheme in {"http", "https"} and parts.hostname
    if not is_plain or not _VISIBLE.fullmatch(str(value)) or "@" in str(value):
        msg = 'write where gateways reach this machine, such as "https://sms.example.org"'
        raise ValueError(msg)
    return str(value).rstrip("/")


class Receipts(Frozen):
    """Where delivery reports come in."""

    listen: Annotated[Address, BeforeValidator(read_address)] = Address("127.0.0.1", 8026)
    public_url: Annotated[str, BeforeValidator(_public_url)] | None = (
        None  # before a token; no slash at its end
    )


class Timers(Frozen):
    """The timers of the protocol, in one list; tests shorten them."""

    mark_to_write: Annotated[Duration, Field(le=0.25)] = 0.25  # windows are kept for no more
    lease: Duration = 30.0
    slice: Duration = 5.0
    slot_wait: Duration = 2.0
    horizon: Duration = 5.0
    tick: Duration = 0.5
    hint_repeat: Duration = 10.0
    visibility: Duration = 300.0
    soft_shutdown: Duration = 25.0
    grace: Duration = 30.0
    check: Duration = 5.0  # between two checks of a gateway that is away or cannot be understood
    trouble_check: Duration = 60.0  # between two checks of an account that was refused
    failover: Duration = 30.0  # an account that is closed for so long hands over to its fallback
    settle: Duration = 30.0  # before the gateway is first asked about an unknown message
    lookup: Duration | None = None  # between two look-ups of an account; default: what the gateway allows
    quarantine: Duration = 900.0  # before an unknown message may be sent again on the gateway's word
    patience: Duration = 259_200.0  # an unknown message is final then, an accepted one has no report
    follow: Duration = 120.0  # before the gateway is first asked whether an accepted message arrived
    repeat: Duration = 86_400.0  # the same content within so long is a repeat
    late: Duration = 3600.0  # a start that is late by more was missed
    order_wait: Duration = 20.0  # a pause or cancel waits so long for what is on its way, then names it

    @model_validator(mode="after")
    def _shutdown_fits(self) -> Self:
        if self.soft_shutdown >= self.grace:
            msg = "soft_shutdown must be shorter than grace"
            raise ValueError(msg)
        return self


class Retries(Frozen):
    """How often, and how patiently, a message is tried again that a gateway refused for now."""

    attempts: int = Field(default=8, ge=1)  # in all
    first: Duration = 5.0  # the longest pause before the second attempt; it doubles with each
    longest: Duration = 600.0


class _Environment(EnvSettingsSource):
    """The environment, in which a value that is no JSON is taken as it stands: ``50/s`` needs no quotes."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401, ARG002 - pydantic's
        try:
            return json.loads(value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """Everything that can be configured; see ``bulksend init`` for a commented file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="BULKSEND_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )
    ledger: str = "sqlite:///bulksend.db"
    broker: str | None = None
    receipts: Receipts = Receipts()
    metrics: Annotated[Address, BeforeValidator(read_address)] | None = None
    timers: Timers = Timers()
    retries: Retries = Retries()
    campaigns: Campaigns = Campaigns()
    notice: Notice = Notice()
    send: Send = Send()
    optouts: OptOuts = OptOuts()
    providers: dict[ProviderName, Provider] = Field(default_factory=dict)
    zone: Annotated[str, BeforeValidator(read_zone)] | None = None  # of what is written without one
    source: Path = Field(default=Path(DEFAULT_FILE), exclude=True)

    @property
    def directory(self) -> Path:
        """The folder of the settings file: what relative paths are relative to."""
        return self.source.parent

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours takes its place
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env files are read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - secrets are named in the file
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above what is handed in, which is the file."""
        return _Environment(settings_cls), init_settings

    @model_validator(mode="after")
    def _timers_fit(self) -> Self:
        for name, provider in self.providers.items():
            problem = _misfit(self.timers, timeout=provider.timeout)
            if problem:
                msg = f"providers.{name}.timeout: {problem}"
                raise ValueError(msg)
        return self


def _misfit(timers: Timers, *, timeout: float) -> str | None:
    """Say which timers contradict each other: a lease must outlive a request, a stop must let it end."""
    if timers.mark_to_write + timeout + 5 >= timers.lease:
        return "mark_to_write + timeout + 5 s must be shorter than timers.lease"
    if timers.mark_to_write + timeout + timers.slice >= timers.lease:  # a slice may pass without a new mark
        return "mark_to_write + timeout + slice must be shorter than timers.lease"
    if timeout + 3 >= timers.soft_shutdown:
        return "timeout + 3 s must be shorter than timers.soft_shutdown"
    if 2 * (timers.horizon + timers.slice + timeout) >= timers.visibility:
        return "twice horizon + slice + timeout must be shorter than timers.visibility"
    return None
