"""Settings of the outbox and of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from surveil.errors import ConfigError
from surveil.settings import Settings


def _face_model(path: Path) -> Path:
    # Who blurs nothing need not wait for OpenCV.
    from surveil.alerts.privacy import YuNet  # noqa: PLC0415

    try:
        YuNet(path)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return path


def _built_in_faces(wanted: bool) -> bool:
    # Who blurs nothing need not wait for OpenCV.
    if wanted:
        from surveil.detect.faces import embedded_path  # noqa: PLC0415

        if not embedded_path().is_file():
            raise ValueError(
                "this build has no face model: install surveil with `make install`, which brings it, or name a YuNet "
                "model in blur_faces_model"
            )
    return wanted


class OutboxSettings(Settings):
    """How alerts are kept until every sink has said yes, or said never."""

    max_pending: int = Field(
        default=100_000,
        ge=1,
        description="Maximum number of undelivered alerts per sink. Further start alerts become dead letters (reason "
        "`overflow`), which can be retried. An end alert is kept if its start is.",
    )
    expire_after_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Days of running time after which an undelivered alert becomes a dead letter. Clock steps, "
        "replays and times without power do not count.",
    )
    keep_days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Days of running time for which finished alerts stay listed.",
    )
    backoff_s: float = Field(default=1.0, gt=0, le=60, description="First pause after a failed delivery.")
    backoff_max_s: float = Field(
        default=300.0,
        ge=1,
        le=3600,
        description="Maximum pause; each failure doubles it, with jitter.",
    )


class EvidenceSettings(Settings):
    """Pictures and clips that belong to alerts."""

    snapshot: bool = Field(default=True, description="Store an annotated picture with each start alert.")
    clean: bool = Field(default=True, description="Also store the picture without drawings.")
    explain: bool = Field(
        default=True,
        description="Store pictures that explain an alert, such as the heat map of an anomaly.",
    )
    quality: int = Field(default=85, ge=30, le=100, description="JPEG quality.")
    keep_days: float = Field(
        default=30.0, gt=0, le=3650, description="Days of running time after which evidence is deleted."
    )
    max_bytes: int = Field(
        default=10_000_000_000,
        ge=1_000_000,
        description="Maximum size of the camera's evidence; the oldest is deleted first.",
    )
    min_free_bytes: int = Field(
        default=67_108_864,
        ge=0,
        description="Free disk space reserved for the outbox; at most a twentieth of the disk.",
    )
    clip: bool = Field(
        default=False,
        description="Store a clip (MP4) of each event. The end alert names it.",
    )
    pre_s: float = Field(default=5.0, ge=0, le=60, description="Pre-roll of a clip.")
    post_s: float = Field(default=5.0, ge=0, le=60, description="Post-roll of a clip.")
    max_clip_s: float = Field(default=120.0, ge=1, le=3600, description="Maximum length of a clip.")
    blur_faces: Annotated[bool, AfterValidator(_built_in_faces)] = Field(
        default=False, description="Blur the faces that are found in stored pictures."
    )
    blur_faces_model: Annotated[Path, AfterValidator(_face_model)] | None = Field(
        default=None,
        description="YuNet face model (ONNX) to use instead of the built-in one. Setting it also switches blurring "
        "on.",
    )

    @property
    def hides_faces(self) -> bool:
        """Whether faces are blurred in what is stored."""
        return self.blur_faces or self.blur_faces_model is not None


class OffsiteSettings(Settings):
    """A second place, to which evidence and recordings are copied."""

    path: Path | None = Field(
        default=None,
        description="Folder of a mounted disk or share. Copies stay there when the originals are deleted. Default: no "
        "second place.",
    )
    url: str = Field(
        default="",
        pattern=r"^(sftp://[^@/]+@[^/]+/.+|s3://[A-Za-z0-9._-]+(/.*)?)?$",
        description="Folder on another machine instead of `path`. By SFTP: sftp://user@host:port/folder, with "
        "`known_hosts`, `key_file` or `password`, and `surveil install --extra offsite`. By S3: s3://bucket/folder, "
        "with `access_key`, `secret_key`, and `surveil install --extra s3`.",
    )
    password: SecretStr | None = Field(default=None, description="Password of the SFTP user.")
    key_file: Path | None = Field(
        default=None, description="Private key of the SFTP user, without a passphrase."
    )
    known_hosts: Path | None = Field(
        default=None,
        description="File with the key of the SFTP server, as `ssh-keyscan` prints it; no other server is trusted.",
    )
    endpoint: str = Field(
        default="",
        pattern=r"^(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?)?$",
        description="Address of the S3 server: https://host:port. Default: Amazon's, for `region`.",
    )
    region: str = Field(default="us-east-1", min_length=1, description="S3 region.")
    access_key: str = Field(
        default="", pattern=r"^[!-~]*$", description="Access key id of S3; it needs s3:PutObject only."
    )
    secret_key: SecretStr | None = Field(default=None, description="Secret access key of S3.")
    ca_file: Path | None = Field(
        default=None, description="CA certificate (PEM) of the S3 server, in addition to the usual ones."
    )
    evidence: bool = Field(default=True, description="Copy pictures and clips.")
    recordings: bool = Field(default=True, description="Copy recordings.")
    same_disk: bool = Field(
        default=False,
        description="Allow a folder on the same disk as the state directory. Otherwise it is refused, because an "
        "unmounted share looks the same.",
    )
    backoff_s: float = Field(default=2.0, gt=0, le=60, description="First pause after a failed copy.")
    backoff_max_s: float = Field(
        default=300.0, ge=1, le=3600, description="Maximum pause; each failure doubles it, with jitter."
    )

    @model_validator(mode="after")
    def _one_place(self) -> OffsiteSettings:
        if self.path is not None and self.url:
            raise ValueError("give either 'path' or 'url'")
        if self.is_s3:
            return self._checked_s3()
        if urlsplit(self.url).password is not None:
            raise ValueError("the password in 'url' is never used: give it as 'password'")
        if self.url and self.known_hosts is None:
            raise ValueError(
                "'url' needs 'known_hosts': ssh-keyscan HOST > known_hosts, compared with the server's own key"
            )
        if self.url and self.password is None and self.key_file is None:
            raise ValueError("'url' needs 'key_file' or 'password'")
        return self

    def _checked_s3(self) -> OffsiteSettings:
        if not self.access_key or self.secret_key is None:
            raise ValueError("'url' with s3:// needs 'access_key' and 'secret_key'")
        try:
            is_address = urlsplit(self.endpoint).port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError("'endpoint' has an impossible host or port: write https://host:port")
        return self

    @property
    def place(self) -> str:
        """Where copies go, by which a new place is known from the last."""
        return f"{self.path or self.url.rstrip('/')} {self.endpoint.rstrip('/')}".rstrip()

    @property
    def is_set(self) -> bool:
        """Whether there is a second place."""
        return self.path is not None or bool(self.url)

    @property
    def is_s3(self) -> bool:
        """Whether copies go into an S3 bucket."""
        return self.url.startswith("s3://")

    @property
    def where(self) -> str:
        """Where copies go, without secrets."""
        at = f" at {self.endpoint}" if self.is_s3 and self.endpoint else ""
        return f"{self.url}{at}" if self.url else str(self.path)
