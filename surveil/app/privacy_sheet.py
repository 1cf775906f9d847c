"""The data-protection sheet: what the configuration records, stores and sends, and what the operator must add.

It states facts of the configuration. What the law asks of them is the operator's to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from surveil.alerts.settings import EvidenceSettings
from surveil.config import CameraConfig, Config
from surveil.features.counting.settings import CountingSettings
from surveil.features.normality.settings import NormalitySettings
from surveil.rules.base import places_of, rule_name
from surveil.settings import Settings

LONG_DAYS = 3.0
"""Evidence that is kept longer needs a reason under many authorities' guidance (EDPB guidelines 3/2019: 72 h)."""
_LOCAL = ("log", "file")
"""Sinks that send nothing off this machine."""
_VIDEO = {"continuous": "all video", "events": "video of events"}
_YES_NO = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSheet:
    """What one camera does with what it sees."""

    name: str
    title: str
    enabled: bool
    detects: tuple[str, ...]
    """Each rule with its classes and place."""
    hidden: int
    """Areas that are blanked in whatever is stored."""
    faces_blurred: bool
    stores: tuple[str, ...]
    """`pictures`, `clips`, `all video`, `video of events`, `counts`, `learned normality`."""
    keep_days: float
    """Of pictures and clips."""
    video_days: float
    """Of recordings; 0: there are none."""
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A sink, and what leaves by it."""

    name: str
    type: str
    destination: str
    """Host and port, without path and login; empty: this machine."""
    pictures: str
    """`yes`, `no`, or `link`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySheet:
    """Everything the configuration says about personal data."""

    instance: str
    digest: str
    cameras: tuple[CameraSheet, ...]
    recipients: tuple[Recipient, ...]
    stored: tuple[tuple[str, str, str], ...]
    """What, where, and for how long."""
    access: str
    questions: tuple[str, ...]
    """Points of this configuration that need a reason or a decision."""


def privacy_sheet(config: Config) -> PrivacySheet:
    """Return the sheet. It holds no secret and no address of a camera."""
    cameras = tuple(_camera(camera) for camera in config.cameras.values())
    recipients = tuple(_recipient(name, sink) for name, sink in config.sinks.items())
    return PrivacySheet(
        instance=config.instance,
        digest=config.digest,
        cameras=cameras,
        recipients=recipients,
        stored=tuple(_stored(config)),
        access=_access(config),
        questions=tuple(_questions(config, cameras, recipients)),
    )


def _camera(camera: CameraConfig) -> CameraSheet:
    recording = camera.recorded
    return CameraSheet(
        name=camera.name,
        title=camera.titles.camera,
        enabled=camera.enabled,
        detects=tuple(_detects(camera)),
        hidden=len(camera.unstored),
        faces_blurred=camera.evidence.hides_faces,
        stores=tuple(_stores(camera)),
        keep_days=camera.evidence.keep_days,
        video_days=recording.keep_days if recording.mode != "off" else 0.0,
        recipients=camera.sinks,
    )


def _detects(camera: CameraConfig) -> Iterator[str]:
    for rule in camera.rules:
        classes = ", ".join(getattr(rule, "classes", ()))
        place = ", ".join(sorted(places_of(rule)))
        yield rule_name(rule) + (f" ({classes})" if classes else "") + (f" in {place}" if place else "")


def _stores(camera: CameraConfig) -> Iterator[str]:
    evidence: EvidenceSettings = camera.evidence
    if evidence.snapshot or evidence.clean:
        yield "pictures"
    if evidence.clip:
        yield "clips"
    if (mode := camera.recorded.mode) != "off":
        yield _VIDEO[mode]
    if camera.section(CountingSettings).enabled:
        yield "counts"
    if camera.section(NormalitySettings).enabled:
        yield "learned normality"


def _recipient(name: str, sink: Settings) -> Recipient:
    kind = str(getattr(sink, "type", ""))
    return Recipient(name=name, type=kind, destination=_destination(kind, sink), pictures=_pictures(sink))


def _destination(kind: str, sink: Settings) -> str:
    if kind in _LOCAL:
        return ""
    if host := getattr(sink, "host", ""):
        port = getattr(sink, "port", None)
        return f"{host}:{port}" if port else str(host)
    url = urlsplit(sink.url.get_secret_value() if hasattr(sink, "url") else "")
    if kind == "apprise":
        # In its addresses the place of the host may hold a token.
        return url.scheme
    return f"{url.hostname}:{url.port}" if url.port else str(url.hostname)


def _pictures(sink: Settings) -> str:
    sent = getattr(sink, "picture", getattr(sink, "pictures", False))
    if sent == "link" or (not sent and getattr(sink, "picture_base_url", "")):
        return "link"
    return _YES_NO[sent not in (False, "none")]


def _stored(config: Config) -> Iterator[tuple[str, str, str]]:
    folder = str(config.state_dir)
    kept = sorted({f"{camera.evidence.keep_days:g} days" for camera in config.cameras.values()})
    yield (
        "alerts: camera, rule, zone, time, class, box",
        f"{folder}/surveil.db",
        f"{config.outbox.keep_days:g} days",
    )
    yield "evidence: pictures and clips", f"{folder}/evidence", ", ".join(kept) or "none"
    recorded = [camera.recorded for camera in config.cameras.values()]
    if kept := sorted({f"{one.keep_days:g} days" for one in recorded if one.mode != "off"}):
        yield "recordings: video without sound", f"{folder}/recordings", ", ".join(kept)
    if config.offsite.is_set:
        yield "copies of evidence and recordings", config.offsite.where, "until you delete them there"
    counts = [c.section(CountingSettings) for c in config.cameras.values()]
    if any(one.enabled for one in counts):
        days = max(one.keep_days for one in counts if one.enabled)
        yield "counts by hour, heat maps by day; no persons", f"{folder}/counts.db", f"{days} days"
    if any(c.section(NormalitySettings).enabled for c in config.cameras.values()):
        yield (
            "learned normality: numbers by place and hour, one example picture per kind",
            folder,
            "until replaced",
        )
    if config.fleet is not None:
        yield (
            "copies for the nodes of the fleet: learned normality, counts, pictures that verdicts added to data sets",
            str(config.fleet.store),
            "until replaced, removed or taken out",
        )
    yield "decisions: counters by minute", f"{folder}/decisions.db", "24 hours"
    yield (
        "data sets of labelled pictures, where you make them",
        "the folder that you name",
        "until you delete them",
    )


def _access(config: Config) -> str:
    where = "this machine only" if config.http.is_loopback else "the network"
    token = "a token" if config.http.token is not None else "no token"
    return f"{config.http.listen}: {where}, {token}"


def _questions(
    config: Config, cameras: Sequence[CameraSheet], recipients: Sequence[Recipient]
) -> Iterator[str]:
    for camera in cameras:
        if {"pictures", "clips"} & set(camera.stores) and camera.keep_days > LONG_DAYS:
            yield (
                f"{camera.name}: evidence is kept for {camera.keep_days:g} days; state why {LONG_DAYS:g} days do not "
                "suffice, or lower evidence.keep_days"
            )
        if camera.video_days > LONG_DAYS:
            yield (
                f"{camera.name}: video is kept for {camera.video_days:g} days; state why {LONG_DAYS:g} days do not "
                "suffice, or lower record.keep_days"
            )
        if "all video" in camera.stores:
            yield f"{camera.name}: everything is recorded; state why events alone (record.mode: events) do not suffice"
        if not camera.hidden:
            yield f"{camera.name}: nothing is hidden; mask public ground and neighbours (masks with hide: both)"
    for one in recipients:
        if one.destination and one.pictures == "yes":
            yield f"{one.name}: pictures leave for {one.destination}; name the recipient, and the country"
    if config.offsite.is_set:
        yield f"copies lie in {config.offsite.where}; say where that is, who may read it, and when they are deleted"
    if not config.http.is_loopback:
        yield f"pages are served on {config.http.listen}; say who holds the token"


def as_markdown(sheet: PrivacySheet) -> str:
    """Return the sheet as a page to complete and file."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: PrivacySheet) -> Iterator[str]:
    yield f"# Data-protection sheet: {sheet.instance}"
    yield f"\nGenerated from the configuration {sheet.digest[:12]}. Repeat it after each change.\n"
    yield "## Cameras\n"
    yield "| camera | detects | hidden areas | faces | stores | evidence kept | video kept | recipients |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in sheet.cameras:
        name = f"{one.name} ({one.title})" if one.title else one.name
        yield (
            f"| {name}{'' if one.enabled else ', disabled'} | {'; '.join(one.detects) or 'nothing'} | {one.hidden} "
            f"| {'blurred' if one.faces_blurred else 'visible'} | {', '.join(one.stores) or 'nothing'} "
            f"| {one.keep_days:g} days | {f'{one.video_days:g} days' if one.video_days else 'none'} "
            f"| {', '.join(one.recipients) or 'none'} |"
        )
    yield "\n## What is stored\n\n| what | where | for how long |\n|---|---|---|"
    yield from (f"| {what} | {where} | {long} |" for what, where, long in sheet.stored)
    yield "\n## Recipients\n\n| sink | type | destination | pictures |\n|---|---|---|---|"
    yield from (
        f"| {one.name} | {one.type} | {one.destination or 'this machine'} | {one.pictures} |"
        for one in sheet.recipients
    )
    yield f"\n## Access\n\nPages: {sheet.access}. Files: mode 0640, folder 0700 under systemd."
    yield "\n## What is not done\n"
    yield "No face recognition, no identification, no sound, no telemetry, no update checks."
    yield "\n## To decide or to justify\n"
    yield from (f"- [ ] {question}" for question in sheet.questions)
    yield "\n## To be completed by the controller\n"
    yield from (f"- {point}: " for point in _OPEN)


_OPEN = (
    "Controller and contact", "Purpose of each camera", "Legal basis, and the balance of interests",
    "Signs: where they stand, what they say", "Who may look at evidence, and who decides on copies",
    "Whether an impact assessment is due (large-scale monitoring of public ground)",
    "How requests for access and deletion are answered",
)  # fmt: skip
