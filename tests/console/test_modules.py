"""The front end's pure modules, in the browser that runs them."""

import functools
import http.server
import json
import random
import struct
import threading

import pytest

from surveil.geometry import area, self_intersection
from tests.console.browser import opened
from tests.console.test_static import MODULES, STATIC

pytestmark = [pytest.mark.rig, pytest.mark.slow]


class Files(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        return super().translate_path(path.replace("/favicon.ico", "/icon.svg"))

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def files():
    handler = functools.partial(Files, directory=STATIC)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def page(browser, files):
    with opened(browser) as page:
        page.goto(f"{files}/icon.svg")
        yield page


def call(page, module, function, *arguments):
    """Call a function of a module in the page."""
    return page.evaluate(
        "([module, name, args]) => import(module).then((m) => m[name](...args))",
        [f"/js/{module}", function, list(arguments)],
    )


def test_every_module_can_be_loaded(page):
    for module in MODULES:
        name = module.relative_to(STATIC)
        if name.name != "main.js":  # starts the console
            assert page.evaluate("(name) => import(name).then((m) => Object.keys(m).length)", f"/{name}"), (
                name
            )


def test_outlines_that_cross_are_the_ones_that_the_daemon_refuses(page):
    numbers = random.Random(5)
    grid = [[numbers.randrange(5) / 4 for _ in range(2)] for _ in range(4000)]
    polygons = []
    while len(grid) > 8:
        count = numbers.randrange(3, 8)
        polygon, grid = grid[:count], grid[count:]
        if all(a != b for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True)):
            polygons.append(polygon)
    seen = page.evaluate(
        "(all) => import('/js/editor/geometry.js').then((m) => all.map((one) => m.isWhole('zone', one)))",
        polygons,
    )
    good = [not self_intersection(one) and 2 * area(one) >= 1e-9 for one in polygons]
    assert {True, False} == set(good)
    assert [one for one, a, b in zip(polygons, seen, good, strict=True) if a != b] == []


@pytest.mark.parametrize(
    ("points", "next_point", "allowed"),
    [
        ([], [0.5, 0.5], True),
        ([[0, 0], [1, 0], [1, 1]], [0.5, 0.5], True),
        ([[0, 0], [1, 0], [1, 1]], [0.5, 0], False),
        ([[0, 0], [1, 0], [1, 1]], [0.5, -0.5], False),
        ([[0, 0], [1, 0]], [1, 0], False),
        ([[0, 0], [1, 0]], [0.5, 0], False),
    ],
)
def test_a_drawing_is_refused_where_it_crosses_itself(page, points, next_point, allowed):
    assert call(page, "editor/draft.js", "mayContinue", points, next_point) is allowed


ZONE = {"kind": "zone", "name": "yard"}
SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
DRAFT = {
    "zones": {"yard": {"points": SQUARE, "title": "Yard"}},
    "lines": {"gate": [[0.5, 0], [0.5, 1]]},
    "masks": {},
    "rules": [{"type": "intrusion", "zone": "yard"}, {"type": "line_crossing", "line": "gate"}],
}


def test_points_are_moved_inserted_and_removed_and_the_title_stays(page):
    moved = call(page, "editor/draft.js", "moved", DRAFT, ZONE, 0, [0.2, 0.2])
    assert moved["zones"]["yard"] == {"points": [[0.2, 0.2], *SQUARE[1:]], "title": "Yard"}
    more = call(page, "editor/draft.js", "inserted", DRAFT, ZONE, [0.5, 0.1])
    assert more["zones"]["yard"]["points"] == [SQUARE[0], [0.5, 0.1], *SQUARE[1:]]
    less = call(page, "editor/draft.js", "shortened", DRAFT, ZONE, 1)
    assert less["zones"]["yard"]["points"] == [SQUARE[0], *SQUARE[2:]]
    assert call(page, "editor/draft.js", "shortened", less, ZONE, 0) is None
    assert call(page, "editor/draft.js", "moved", DRAFT, ZONE, 0, [0.95, 0.5]) is None


def test_a_point_beyond_the_edge_lies_on_it(page):
    moved = call(page, "editor/draft.js", "moved", DRAFT, ZONE, 0, [-0.3, 0.004])
    assert moved["zones"]["yard"]["points"][0] == [0, 0]


def test_rules_follow_a_shape_that_is_renamed_or_removed(page):
    renamed = call(page, "editor/draft.js", "renamed", DRAFT, ZONE, "court")
    assert [*renamed["zones"]] == ["court"]
    assert renamed["rules"][0]["zone"] == "court"
    assert call(page, "editor/draft.js", "without", DRAFT, ZONE)["rules"] == DRAFT["rules"][1:]
    for name, allowed in (("yard", True), ("new", True), ("a b", False), ("", False), ("x" * 64, False)):
        assert call(page, "editor/draft.js", "mayBeNamed", DRAFT, ZONE, name) is allowed


def test_the_scale_of_the_ground_and_the_allowed_way_belong_to_a_rule(page):
    draft = {**DRAFT, "rules": [{"type": "speed", "zone": "yard"}, {"type": "wrong_way", "zone": "yard"}]}
    scaled = call(page, "editor/panel.js", "taken", draft, {"kind": "scale", "rule": "0"}, SQUARE)["next"]
    assert scaled["rules"][0]["scale"] == {"points": SQUARE, "metres": [[0, 0], [5, 0], [5, 5], [0, 5]]}
    corner = call(page, "editor/draft.js", "moved", scaled, {"kind": "scale", "name": "0"}, 0, [0.2, 0.2])
    assert corner["rules"][0]["scale"]["points"][0] == [0.2, 0.2]
    assert corner["rules"][0]["scale"]["metres"] == scaled["rules"][0]["scale"]["metres"]
    way = [[0.1, 0.5], [0.9, 0.5]]
    arrow = call(page, "editor/panel.js", "taken", draft, {"kind": "way", "rule": "1"}, way)["next"]
    assert arrow["rules"] == [draft["rules"][0], {**draft["rules"][1], "way": way}]
    assert call(page, "editor/draft.js", "without", scaled, {"kind": "scale", "name": "0"}) == draft


def test_a_step_is_taken_back_and_forth_and_a_drag_is_one_step(page):
    steps = page.evaluate("""() => import('/js/editor/draft.js').then((m) => {
        let h = m.begun('a');
        h = m.changed(h, 'b');
        h = m.changed(h, 'c', true);
        const seen = [h.now];
        h = m.undone(m.undone(h));
        seen.push(h.now);
        h = m.redone(m.redone(h));
        seen.push(h.now);
        return seen;
    })""")
    assert steps == ["c", "a", "c"]


def test_a_stream_is_cut_into_messages_however_it_arrives(page):
    numbers = random.Random(3)
    sent = [
        ({"type": "media", "at": n}, bytes(numbers.randrange(256) for _ in range(n * 7))) for n in range(20)
    ]
    stream = b"".join(
        struct.pack(">II", len(head), len(body)) + head + body
        for header, body in sent
        for head in [json.dumps(header).encode()]
    )
    cuts = sorted(numbers.randrange(len(stream)) for _ in range(60))
    chunks = [list(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    got = page.evaluate(
        """(chunks) => import('/js/live/stream.js').then((m) => {
            const cutter = new m.Cutter();
            return chunks.flatMap((c) => cutter.push(new Uint8Array(c))).map((x) => [x.header, [...x.payload]]);
        })""",
        chunks,
    )
    assert [(header, bytes(body)) for header, body in got] == sent


def test_a_stream_that_is_out_of_step_is_given_up(page):
    broken = list(struct.pack(">II", 0xFFFFFFF0, 0))
    assert page.evaluate(
        """(bytes) => import('/js/live/stream.js').then((m) => {
            try { new m.Cutter().push(new Uint8Array(bytes)); return ''; } catch (error) { return error.message; }
        })""",
        broken,
    )


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["1 event shown.", "2 events shown.", "30%", "no such key", "4.2 sec"]),
        ("zh", ["显示 1 个事件。", "显示 2 个事件。", "30%", "no such key", "4.2秒"]),
    ],
)
def test_plurals_numbers_and_units_are_those_of_the_language(page, language, expected):
    found = page.evaluate(
        """(language) => {
            localStorage.setItem('surveil.language', language);
            return import('/js/i18n.js').then((m) => m.load('en', ['en', 'zh']).then(() => [
                m.t('events.shown', { n: 1 }), m.t('events.shown', { n: 2 }), m.percent(0.3), m.t('no such key'),
                m.duration(4.2)]));
        }""",
        language,
    )
    assert found == expected
    assert page.evaluate("document.documentElement.lang") in {"en", "zh-CN"}


def test_tracks_are_those_of_the_picture_that_is_shown(page):
    """The newest that are not newer than it; none where they are too old to say anything."""
    shown = page.evaluate("""() => import('/js/live/view.js').then((m) => {
        const view = new m.View(() => {});
        for (const at of [100, 101, 102]) view.take({ type: 'tracks', at, tracks: [{ id: at }] });
        return [99.5, 100.4, 100.97, 102.5, 104].map((at) => {
            view.shownAt = at;
            return view.tracks().map((one) => one.id);
        });
    })""")
    assert shown == [[], [100], [101], [102], []]


def test_open_events_are_kept_until_their_end_and_told_again_on_a_new_connection(page):
    counts = page.evaluate("""() => import('/js/live/view.js').then((m) => {
        const view = new m.View(() => {});
        const seen = [];
        for (const [id, phase] of [['a', 'start'], ['b', 'start'], ['a', 'update'], ['a', 'end']]) {
            view.take({ type: 'event', phase, event: { id } });
            seen.push([...view.events.keys()].join());
        }
        view.begin();
        return [...seen, [...view.events.keys()].join()];
    })""")
    assert counts == ["a", "a,b", "a,b", "b", ""]
