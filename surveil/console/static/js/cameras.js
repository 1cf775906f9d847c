// The state of every camera, with the cause.

import { html } from "../vendor/preact.js";
import { address, path } from "./api.js";
import { ago, duration, moment, named, number, t } from "./i18n.js";
import { Badge, Heading, Loading, Picture, Problem, useApi } from "./ui.js";
import { charts, useMay, useMe } from "./session.js";
import { State } from "./live/tile.js";
import { Removed } from "./setup/camera.js";

export function CamerasPage() {
  const { data, error, reload } = useApi("cameras", { everyS: 5 });
  const adds = useMay("POST /cameras");
  return html`<${Heading} actions=${adds && html`<a class="button main" href="#/setup">${t("setup")}</a>`}>${t("nav.cameras")}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data?.cameras.length === 0 && data.elsewhere.length === 0 && html`<p>${t("live.none")}</p>`}
    <div class="tiles">${data?.cameras.map((camera) => html`<${Camera} key=${camera.id} camera=${camera} />`)}</div>
    ${data?.elsewhere.length > 0 && html`<${Elsewhere} cameras=${data.elsewhere} />`}
    ${data && adds && html`<${Removed} names=${data.removed} onRestored=${reload} />`}`;
}

function Elsewhere({ cameras }) {
  return html`<section class="card"><h2>${t("cameras.elsewhere")}</h2>
    <ul>${cameras.map((camera) => html`<li key=${camera.id}>${
      camera.console ? html`<a href=${camera.console}>${camera.title}</a>` : camera.title}: ${
      camera.node || html`<${Badge} kind="bad">${t("cameras.nowhere")}<//>`}</li>`)}</ul>
  </section>`;
}

function Camera({ camera }) {
  const name = encodeURIComponent(camera.id);
  const zones = useMay("GET /cameras/{camera}/shapes");
  const setup = useMay("GET /cameras/{camera}/setup");
  const { grafana_url: grafana } = useMe();
  const row = (key, value) => value && html`<dt>${t(`camera.${key}`)}</dt><dd>${value}</dd>`;
  const size = camera.width > 0 && `${camera.width} × ${camera.height}`;
  return html`<article class="card camera" aria-label=${camera.title || camera.id}>
    <header class="row"><h2>${camera.title || camera.id}</h2><${State} state=${camera.state} cause=${camera.cause} />
      ${!camera.armed && html`<${Badge} kind="warn">${t("camera.disarmed")}<//>`}</header>
    ${camera.last_picture_at && html`<${Picture} alt=${t("camera.picture", { camera: camera.title || camera.id })}
      src=${address(`cameras/${path(camera.id)}/snapshot.jpg`, { at: Math.floor(camera.last_picture_at / 10) })} />`}
    ${camera.error && html`<p class="notice bad">${camera.error}</p>`}
    <dl class="facts">
      ${row("since", camera.since && html`<time title=${moment(camera.since)}>${ago(camera.since)}</time>`)}
      ${row("last", camera.last_picture_at && ago(camera.last_picture_at))}
      ${row("lag", duration(camera.lag_s))}
      ${row("decode", camera.decode.mode && `${named("decode", camera.decode.mode)}${camera.decode.why ? `: ${named("decode_why", camera.decode.why)}` : ""}`)}
      ${row("size", size)}
      ${row("fps", camera.fps > 0 && number(camera.fps, { maximumFractionDigits: 1 }))}
      ${row("codec", camera.playable.codec)}
      ${row("site", camera.site)}
      ${row("open", camera.open_events > 0 && html`<a href=${`#/events?camera=${name}`}>${t("camera.events", { n: camera.open_events })}</a>`)}
    </dl>
    <div class="row"><a class="button" href=${`#/live/${name}`}>${t("nav.live")}</a>
      <a class="button" href=${`#/events?camera=${name}`}>${t("nav.events")}</a>
      ${zones && html`<a class="button" href=${`#/zones/${name}`}>${t("nav.zones")}</a>`}
      <a class="button" href=${`#/health/${name}`}>${t("health")}</a>
      ${grafana && html`<a class="button" href=${charts(grafana, camera.id)}>${t("charts")}</a>`}
      ${setup && html`<a class="button" href=${`#/camera/${name}`}>${t("setup.settings")}</a>`}</div>
  </article>`;
}
