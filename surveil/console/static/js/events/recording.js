// What was recorded around an event: one player, and a line of time that plays through the files.

import { html, useRef, useState } from "../../vendor/preact.js";
import { moment, named, t } from "../i18n.js";
import { path } from "../api.js";
import { useApi } from "../ui.js";

const AROUND_S = 600;
const STEP_S = 1;

/**
 * The file that has a moment, else the next one; null after the last.
 * @param {{start: number, seconds: number, url: string | null}[]} segments in the order of time
 * @param {number} at Unix s
 */
export function segmentAt(segments, at) {
  return segments.find((one) => one.url !== null && at < one.start + one.seconds) ?? null;
}

/**
 * Where a span lies on a line from `from` to `to`, in percent.
 * @param {{start: number, end: number}} span @param {number} from @param {number} to
 */
export function placeOf(span, from, to) {
  const within = (at) => Math.min(100, Math.max(0, (100 * (at - from)) / (to - from)));
  const left = within(Math.min(span.start, span.end));
  return { left, width: Math.max(0.2, within(Math.max(span.start, span.end)) - left) };
}

/** @param {{event: {camera: string, start: number, end: number | null}}} props */
export function Recording({ event }) {
  const from = event.start - AROUND_S;
  const to = (event.end ?? event.start) + AROUND_S;
  const { data } = useApi(`cameras/${path(event.camera)}/recordings`, { query: { from, to } });
  if (!data || !segmentAt(data.segments, from)) return null;
  return html`<${Player} event=${event} segments=${data.segments} missing=${data.missing} from=${from} to=${to} />`;
}

function Player({ event, segments, missing, from, to }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [at, setAt] = useState(event.start);
  const [now, setNow] = useState(segmentAt(segments, event.start));
  const wanted = useRef(now ? Math.max(0, event.start - now.start) : 0);
  const going = useRef(false);
  const seek = (moment) => {
    const segment = segmentAt(segments, moment);
    setAt(segment ? Math.max(moment, segment.start) : moment);
    if (!segment) return;
    wanted.current = Math.max(0, moment - segment.start);
    if (segment === now && video.current) video.current.currentTime = wanted.current;
    setNow(segment);
  };
  const loaded = (event) => {
    event.currentTarget.currentTime = wanted.current;
    if (going.current) event.currentTarget.play().catch(() => {});
    going.current = false;
  };
  const goOn = () => {
    const next = now && segments[segments.indexOf(now) + 1];
    if (!next?.url) return;
    going.current = true;
    seek(next.start);
  };
  const move = ({ currentTarget: shown }) => now && !shown.seeking && setAt(now.start + shown.currentTime);
  return html`<section class="card recording" aria-label=${t("recording")}>
    ${now && html`<video class="clip" controls muted preload="metadata" ref=${video} src=${now.url} aria-label=${t("recording")}
      onLoadedMetadata=${loaded} onTimeUpdate=${move} onEnded=${goOn}></video>`}
    <${Line} event=${event} segments=${segments} missing=${missing} from=${from} to=${to} at=${at} onSeek=${seek} />
    <p class="muted">${moment(at)}${now && html` · <a href=${`${now.url}?download=1`}>${t("download")}</a>`}</p>
  </section>`;
}

function Line({ event, segments, missing, from, to, at, onSeek }) {
  const span = (kind, one, title) => {
    const { left, width } = placeOf(one, from, to);
    return html`<span class=${kind} title=${title} style=${{ left: `${left}%`, width: `${width}%` }}></span>`;
  };
  const reason = (hole) => t("recording.missing", { why: named("gap", hole.reason) });
  return html`<div class="timeline">
    <div class="spans" aria-hidden="true">
      ${segments.map((one) => span("kept", { start: one.start, end: one.start + one.seconds }, t("recording")))}
      ${missing.map((hole) => span("hole", hole, reason(hole)))}
      ${span("event", { start: event.start, end: event.end ?? to }, t("event"))}
    </div>
    <input type="range" min=${from} max=${to} step=${STEP_S} value=${at} aria-label=${t("recording.time")}
      aria-valuetext=${moment(at)} onInput=${(moved) => onSeek(Number(moved.currentTarget.value))} />
    ${missing.length > 0 && html`<ul class="muted">${missing.map((hole) => html`<li>${moment(hole.start)}: ${reason(hole)}</li>`)}</ul>`}
  </div>`;
}
