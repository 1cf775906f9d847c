// One event: pictures, clip, the reason, and what people say of it.

import { html } from "../../vendor/preact.js";
import { duration, moment, named, percent, t } from "../i18n.js";
import { path } from "../api.js";
import { Badge, Heading, Loading, Picture, Problem, useApi, useChange } from "../ui.js";
import { charts, useMay, useMe } from "../session.js";
import { Recording } from "./recording.js";
import { acknowledge, actionOf, judge, Remarks, Verdict } from "./judge.js";

const PICTURES = ["annotated", "clean", "heat", "before"];

/** @param {{parts: string[]}} props */
export function EventPage({ parts: [id] }) {
  const { data: event, error, reload } = useApi(`events/${path(id)}`, { everyS: 10 });
  const { busy, error: refused, run } = useChange();
  const may = useMay("PUT /events/{event}/verdict");
  const act = async (action) => {
    await run(() => action(event));
    reload();
  };
  if (!event) return html`<${Heading}>${t("event")}<//><${Problem} error=${error} />${!error && html`<${Loading} />`}`;
  const onKeyDown = (pressed) => {
    const action = may && actionOf(pressed);
    if (!action) return;
    act(action);
    pressed.preventDefault();
  };
  return html`<div onKeyDown=${onKeyDown}>
    <${Heading} actions=${html`<a class="button" href="#/events">${t("nav.events")}</a>`}>
      ${event.camera_title || event.camera}: ${named("rule", event.rule_title || event.rule)}<//>
    <${Problem} error=${refused} />
    <p>${event.reason}</p>
    <div class="pictures">${PICTURES.filter((kind) => event.pictures[kind]).map((kind) => html`<figure key=${kind}>
      <a href=${event.pictures[kind]}><${Picture} src=${event.pictures[kind]} alt=${t(`picture.${kind}`)} /></a>
      <figcaption>${t(`picture.${kind}`)}</figcaption></figure>`)}</div>
    <${Clip} clip=${event.clip} />
    <${Recording} key=${event.id} event=${event} />
    <div class="split">
      <${Facts} event=${event} />
      ${may && html`<section class="card">
        <${Verdict} event=${event} busy=${busy} onJudge=${(verdict) => act(() => judge(event, verdict))} onAcknowledge=${() => act(acknowledge)} />
        <${Remarks} key=${event.id} event=${event} busy=${busy} onSave=${(change) => act(() => judge(event, event.verdict, change))} />
      </section>`}
    </div>
  </div>`;
}

function Clip({ clip }) {
  if (!clip) return null;
  if (!clip.url) return html`<p class="muted">${t("clip.none", { why: clip.note })}</p>`;
  return html`<figure><video class="clip" controls preload="metadata" src=${clip.url} aria-label=${t("clip")}></video>
    <figcaption>${t("clip")}${clip.note && ` (${clip.note})`} · <a href=${`${clip.url}?download=1`}>${t("download")}</a></figcaption></figure>`;
}

const AROUND_S = 600; // of an event, in charts

function Facts({ event }) {
  const { grafana_url: grafana } = useMe();
  const row = (name, value) => value && html`<dt>${t(`fact.${name}`)}</dt><dd>${value}</dd>`;
  return html`<dl class="facts card">
    ${row("start", moment(event.start))}
    ${row("charts", grafana && html`<a href=${charts(grafana, event.camera, [event.start - AROUND_S, (event.end || event.start) + AROUND_S])}>${t("charts")}</a>`)}
    ${row("end", event.end === null ? html`<${Badge} kind="bad">${t("event.open")}<//>` : event.end > event.start && moment(event.end))}
    ${row("lasted", event.end !== null && event.end > event.start && duration(event.end - event.start))}
    ${row("ended", event.ended_because && named("reason", event.ended_because))}
    ${row("place", event.zone_title || event.zone)}
    ${row("class", event.label && named("class", event.label))}
    ${row("score", event.label && percent(event.score))}
    ${row("judge", event.judge)}
    ${row("live", html`<a href=${`#/live/${encodeURIComponent(event.camera)}`}>${event.camera_title || event.camera}</a>`)}
  </dl>`;
}
