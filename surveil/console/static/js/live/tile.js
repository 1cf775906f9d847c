// One camera: its picture, and what is drawn over it.

import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { duration, named, percent, t } from "../i18n.js";
import { Badge } from "../ui.js";
import { pointsOf } from "../editor/geometry.js";

const WIDTH = 1000; // of the drawing's own units
const SPARSE_S = 0.7; // between still pictures: a camera that moves sends more, five a second

/** @param {{camera: any, view: import("./view.js").View, shapes: any, alone: boolean}} props */
export function Tile({ camera, view, shapes, alone }) {
  useView(view);
  const state = view.state || camera.state;
  const cause = view.state ? view.cause : camera.cause;
  const decode = view.decode || camera.decode;
  const open = [...view.events.values()];
  const name = camera.title || camera.id;
  return html`<article class=${`tile ${open.length ? "alarm" : ""}`} aria-label=${name}>
    <header>
      <h2>${alone ? name : html`<a href=${`#/live/${encodeURIComponent(camera.id)}`}>${name}</a>`}</h2>
      <${State} state=${state} cause=${cause} />
    </header>
    <div class="screen" style=${{ aspectRatio: `${camera.width || 16} / ${camera.height || 9}` }}>
      <${Pictures} view=${view} name=${name} />
      <${Drawing} camera=${camera} tracks=${view.tracks()} shapes=${shapes} alarmed=${new Set(open.map((one) => one.zone))} />
      ${!view.shownAt && html`<p class="veil">${t("live.waiting")}</p>`}
    </div>
    <footer>
      ${decode?.mode && html`<span title=${named("decode_why", decode.why)}>${named("decode", decode.mode)}</span>`}
      ${isIdle(view, decode) && html`<span>${t("live.idle", { gap: duration(view.gapS) })}</span>`}
      ${view.mode === "jpeg" && html`<span>${view.why ? t("live.pictures.why", { why: named("why", view.why) }) : t("live.pictures")}</span>`}
      ${camera.lag_s > 1 && html`<span>${t("live.lag", { lag: duration(camera.lag_s) })}</span>`}
      ${view.dropped > 0 && html`<span>${t("live.dropped", { n: view.dropped })}</span>`}
      ${open.map((one) => html`<a class="badge bad" href=${`#/event/${encodeURIComponent(one.id)}`}>${named("rule", one.rule_title || one.rule)}</a>`)}
    </footer>
  </article>`;
}

/** Whether a camera shows few still pictures because nothing moves and key frames alone are decoded. */
const isIdle = (view, decode) => view.mode === "jpeg" && decode?.mode === "on_demand" && view.gapS > SPARSE_S;

/** @param {{state: string, cause?: string}} props */
export function State({ state, cause }) {
  const kind = state === "streaming" ? "good" : state === "lost" ? "bad" : "";
  return html`<${Badge} kind=${kind}>${named("state", state)}${cause && state === "lost" ? `: ${named("cause", cause)}` : ""}<//>`;
}

/** Draw again when the view has something new: at most once a picture of the screen. */
function useView(view) {
  const [, setRound] = useState(0);
  useEffect(() => {
    let handle = 0;
    const end = view.listen(() => {
      handle ||= requestAnimationFrame(() => {
        handle = 0;
        setRound((round) => round + 1);
      });
    });
    return () => {
      end();
      cancelAnimationFrame(handle);
    };
  }, [view]);
}

function Pictures({ view, name }) {
  const element = useRef(null);
  useEffect(() => {
    if (!element.current) return undefined;
    return view.mode === "mp4" ? view.showIn(element.current) : view.drawOn(element.current);
  }, [view, view.mode]);
  if (view.mode === "mp4") return html`<video key="video" ref=${element} aria-label=${name} muted autoplay playsinline></video>`;
  return html`<canvas key="canvas" ref=${element} role="img" aria-label=${name} width="16" height="9"></canvas>`;
}

function Drawing({ camera, tracks, shapes, alarmed }) {
  const height = Math.round((WIDTH * (camera.height || 9)) / (camera.width || 16));
  const place = ([x, y]) => `${(x * WIDTH).toFixed(1)},${(y * height).toFixed(1)}`;
  const drawn = (shape) => pointsOf(shape).map(place).join(" ");
  return html`<svg class="over" viewBox=${`0 0 ${WIDTH} ${height}`} aria-hidden="true">
    ${Object.entries(shapes?.zones || {}).map(([name, zone]) => html`<polygon key=${`z${name}`}
      class=${`zone ${alarmed.has(name) ? "alarm" : ""}`} points=${drawn(zone)} />`)}
    ${Object.entries(shapes?.lines || {}).map(([name, line]) => html`<polyline key=${`l${name}`} class="line" points=${drawn(line)} />`)}
    ${tracks.map((track) => html`<${Box} key=${track.id} track=${track} height=${height} />`)}
  </svg>`;
}

function Box({ track, height }) {
  const [x1, y1, x2, y2] = track.box.map((value, index) => value * (index % 2 ? height : WIDTH));
  return html`<g class=${`track ${track.believed ? "" : "unsure"}`} data-track=${track.id}>
    <rect x=${x1} y=${y1} width=${Math.max(0, x2 - x1)} height=${Math.max(0, y2 - y1)} />
    <text x=${x1} y=${y1 > 30 ? y1 - 8 : y2 + 26}>${named("class", track.label)} ${percent(track.score)}</text>
  </g>`;
}
