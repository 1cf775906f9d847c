// Picture health of one camera: what is wrong with its picture, since when, and how it looked before.

import { html } from "../vendor/preact.js";
import { path } from "./api.js";
import { duration, moment, named, t } from "./i18n.js";
import { NewView } from "./normality.js";
import { Badge, Heading, Loading, Picture, Problem, useApi } from "./ui.js";

/** @param {{parts: string[]}} props */
export function HealthPage({ parts: [id] }) {
  const cameras = useApi("cameras", { everyS: 10 });
  const { data, error, reload } = useApi(`cameras/${path(id)}/health`, { everyS: 5 });
  const camera = cameras.data?.cameras.find((one) => one.id === id);
  return html`<${Heading} actions=${html`<a class="button" href="#/cameras">${t("nav.cameras")}</a>`}>${t("health.of", { camera: camera?.title || id })}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${camera?.error && html`<p class="notice bad">${named("cause", camera.cause)} <span lang="en">${camera.error}</span></p>`}
    ${data && html`<p class="row">${data.faults.map((fault) => html`<${Badge} key=${fault} kind="bad">${named("value", fault)}<//>`)}
      ${!data.faults.length && html`<${Badge} kind="good">${t("health.good")}<//>`}
      ${data.view_changed_at && html`<span class="muted">${t("health.accepted", { at: moment(data.view_changed_at) })}</span>`}</p>
      ${data.faults.includes("moved") && html`<${NewView} id=${id} onAccepted=${reload} />`}
      ${!data.events.length && html`<p>${t("health.none")}</p>`}
      <ul class="list">${data.events.map((event) => html`<${Fault} key=${event.id} event=${event} />`)}</ul>`}`;
}

/** One fault: since when, how long, and the pictures before and after. */
function Fault({ event }) {
  const lasted = event.end !== null && event.end > event.start && duration(event.end - event.start);
  const pictures = /** @type {const} */ ([["before", event.pictures.before], ["after", event.pictures.clean || event.pictures.annotated]]).filter(([, src]) => src);
  return html`<li class="card"><p class="row"><a href=${`#/event/${encodeURIComponent(event.id)}`}>${moment(event.start)}</a>
      ${event.end === null ? html`<${Badge} kind="bad">${t("event.open")}<//>` : lasted} <span>${named("rule", event.rule_title || event.rule)}</span></p>
    <p>${event.reason}</p>
    <div class="pictures">${pictures.map(([kind, src]) => html`<figure key=${kind}><a href=${src}><${Picture} src=${src} alt=${t(`health.${kind}`)} /></a>
      <figcaption>${t(`health.${kind}`)}</figcaption></figure>`)}</div></li>`;
}
