"""A console on a port of its own, over a real outbox and a real configuration; only the cameras stand still."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry

from surveil.alerts.evidence import FOLDER
from surveil.alerts.history import History
from surveil.alerts.outbox import Outbox
from surveil.alerts.signed import make_signer
from surveil.app.console import DaemonView, probe_one
from surveil.clock import ManualClock, SystemClock
from surveil.config import load
from surveil.console.auth.parts import make_auth
from surveil.console.auth.passwords import Passwords, ScryptCost
from surveil.console.context import Parts
from surveil.console.drafts import Drafts
from surveil.console.drawnon import DrawnOn
from surveil.console.frontend import Frontend
from surveil.console.live.hub import LiveHub
from surveil.console.probes import Probes
from surveil.console.routes import routes
from surveil.console.running import CameraState, PictureSeen
from surveil.console.training.job import Trainings
from surveil.listening import bind
from surveil.metrics import Metrics
from surveil.reasons import DecodeWhy
from surveil.web import Web
from tests.alerts.helpers import T0, alert

CONFIG = """\
version: 1
state_dir: {state}
http: {{console: true, listen: "127.0.0.1:0"}}
cameras:
  yard:
    title: The yard
    url: rtsp://user:sekret-1@192.0.2.1/1
    zones: {{lawn: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}}
    rules: [{{type: intrusion, zone: lawn}}]
  gate:
    url: rtsp://192.0.2.2/1
    rules: [{{type: presence}}]
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Of an error."""
        return self.json["error"]["code"]


class StillDaemon:
    """Whose cameras stand still."""

    def __init__(self, config):
        self.config, self.size = config, (640, 360)
        self._clock = SystemClock()
        self.others = ()

    def elsewhere(self):
        return self.others

    def reload(self):
        self.config = load(self.config.path, {})
        return ""

    def picture(self, camera):
        return PictureSeen()

    def not_learned_s(self, camera):
        return {}

    def try_sink(self, name):
        return DaemonView.try_sink(self, name)

    def cameras(self):
        return [
            CameraState(
                name=name, title=camera.titles.camera, site="", state="streaming", cause="", error="", since=T0,
                lag_s=0.1, codec="h264", decoder="software", decode=DecodeWhy.PROVEN, fps=5.0,
                size=self.size, last_picture_at=T0,
            )
            for name, camera in self.config.cameras.items()
        ]  # fmt: skip


class Site:
    """The console of one state directory, served while in a `with`."""

    def __init__(self, folder: Path, config: str = CONFIG, front: Path | None = None):
        self.folder = folder / "state"
        self.folder.mkdir(exist_ok=True)
        self.config_file = folder / "config.yaml"
        self.config_file.write_text(config.format(state=self.folder))
        self.clock = ManualClock(wall=T0)
        self.config = load(self.config_file, {})
        self.database = self.folder / "surveil.db"
        self.outbox = Outbox.open(self.database, [], self.clock)
        self.daemon = StillDaemon(self.config)
        self.live = LiveHub(self.clock, Metrics(CollectorRegistry()))
        self.probes = Probes(partial(probe_one, state_dir=self.folder, clock=SystemClock()), self.clock)
        self.auth = make_auth(
            self.config.http,
            self.folder,
            self.clock,
            Metrics(CollectorRegistry()),
            Passwords(ScryptCost(log_n=4, p=1)),
        )
        self.signer = make_signer(self.folder)
        self.trainings = Trainings(self.folder)
        self.front = Frontend(front) if front else Frontend(folder / "nothing")

    def parts(self):
        return Parts(
            daemon=self.daemon, history=History(self.database), evidence=self.folder / FOLDER,
            auth=self.auth, clock=self.clock, live=self.live, drafts=Drafts(self.daemon), probes=self.probes,
            trainings=self.trainings, drawn_on=DrawnOn(self.folder),
        )  # fmt: skip

    def happens(self, n=0, **changes):
        """Commit the start of the n-th event; return its id."""
        made = alert(n, **changes)
        self.outbox.committer.commit([made])
        return made.event_id

    def store(self, name, data):
        """Store a piece of evidence; return its path below the state directory."""
        path = self.folder / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"{FOLDER}/{name}"

    def ask(self, method, path, body=None, headers=(), **query):
        """Ask as nobody in particular."""
        target = f"{path}?{urlencode(query)}" if query else path
        connection = HTTPConnection(*self.address, timeout=10)
        try:
            data = json.dumps(body) if isinstance(body, dict | list) else body
            connection.request(method, target, data, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def status_of(self, method, path, headers=()):
        """Ask, and wait for no more than the status: the answer may have no end."""
        connection = HTTPConnection(*self.address, timeout=10)
        try:
            connection.request(method, path, None, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()

    def get(self, path, **query):
        return self.ask("GET", f"/api/v1{path}", **query)

    def change(self, method, path, body=None, headers=()):
        """Make a changing request as the console's own pages would."""
        token = self.get("/me").json["csrf"]
        return self.ask(method, f"/api/v1{path}", body, {"X-CSRF-Token": token, **dict(headers)})

    def __enter__(self):
        self._listener = bind("127.0.0.1:0")
        self.address = self._listener.getsockname()
        self._web = Web(
            self._listener,
            self.config.http,
            Nobody(),
            CollectorRegistry(),
            self.folder,
            routes(self.parts(), self.front, self.signer),
        )
        self._thread = threading.Thread(target=self._web.run)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.probes.close()
        self._web.stop()
        self._thread.join()
        self._listener.close()
        self.outbox.close()
        self.auth.db.close()


class Nobody:
    """Of whom the plain pages have nothing to tell."""

    def liveness(self):
        return True, {}

    def readiness(self):
        return True, {}

    def status(self):
        return {}

    def latest_picture(self, camera, rule, t_wall):
        return None


def ended(n=0, **changes):
    """The alert that ends the n-th event."""
    return replace(alert(n, "end"), **changes)
