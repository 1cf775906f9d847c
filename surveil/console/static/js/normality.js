// What is usual in front of each camera: how far learning is, why it is held, by place and by hour.

import { html, useState } from "../vendor/preact.js";
import { address, api, path } from "./api.js";
import { ago, duration, moment, named, number, percent, t } from "./i18n.js";
import { Badge, Heading, Loading, Picture, Problem, Status, useApi, useChange } from "./ui.js";
import { useMay } from "./session.js";

const KINDS = { ready: "good", provisional: "warn", invalid: "bad" };

/** @param {{parts: string[]}} props one camera, or the list */
export function NormalityPage({ parts: [id] }) {
  const { data, error } = useApi("cameras");
  const cameras = data?.cameras || [];
  const camera = id && (cameras.find((one) => one.id === id) || { id, title: id });
  return html`<${Heading} actions=${camera && html`<a class="button" href="#/normality">${t("live.all")}</a>`}>
      ${camera ? t("normality.of", { camera: camera.title || camera.id }) : t("nav.normality")}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data && camera && html`<${OfCamera} id=${camera.id} />`}
    ${data && !camera && html`<p>${t("normality.about")}</p><ul class="tiles">${cameras.map((one) => html`<${Short} key=${one.id} camera=${one} />`)}</ul>`}`;
}

function Short({ camera }) {
  const { data } = useApi(`cameras/${path(camera.id)}/normality`);
  return html`<li><a class="card" href=${`#/normality/${encodeURIComponent(camera.id)}`}>${camera.title || camera.id}
    ${data && html` <${StateBadge} normality=${data} />`}</a></li>`;
}

const StateBadge = ({ normality }) => html`<${Badge} kind=${KINDS[normality.state]}>
  ${normality.enabled ? named("normality_state", normality.state || "off") : t("normality.disabled")}<//>`;

function OfCamera({ id }) {
  const { data, error, reload } = useApi(`cameras/${path(id)}/normality`, { everyS: 10 });
  if (!data) return html`<${Problem} error=${error} />${!error && html`<${Loading} />`}`;
  const held = Object.entries(data.held_s);
  const row = (name, value) => value && html`<dt>${t(`normality.${name}`)}</dt><dd>${value}</dd>`;
  return html`<p class="row"><${StateBadge} normality=${data} /> ${data.why && html`<span lang="en">${data.why}</span>`}</p>
    ${!data.enabled && html`<p>${t("normality.enable")}</p>`}
    ${data.view_changed && html`<${NewView} id=${id} onAccepted=${reload} />`}
    ${data.enabled && html`<label class="field narrow"><span>${t("normality.share", { share: percent(data.share) })}</span>
      <progress max="1" value=${data.share}></progress></label>`}
    ${data.enabled && html`<dl class="facts card">
      ${row("budget", number(data.budget))}
      ${row("watched", data.watched_s > 0 && duration(data.watched_s))}
      ${row("seen", data.model && duration(data.model.seen_s))}
      ${row("moving", data.model && duration(data.model.moving_s))}
      ${row("calibration", data.model && html`<span lang="en">${data.model.calibration}</span>`)}
      ${row("at", data.at && html`<time title=${moment(data.at)}>${ago(data.at)}</time>`)}
      ${row("held", held.length > 0 && html`<ul class="list">${held.map(([reason, seconds]) => html`<li key=${reason}>
        ${named("held", reason)}: ${duration(seconds)}</li>`)}</ul>`)}
    </dl>`}
    ${data.model && html`<${Usual} id=${id} model=${data.model} />`}`;
}

function Usual({ id, model }) {
  const may = useMay("GET /cameras/{camera}/normality/usual.png");
  return html`${may && html`<figure><${Picture} src=${address(`cameras/${path(id)}/normality/usual.png`, { model: model.name })} alt=${t("normality.maps")} />
      <figcaption>${t("normality.maps")}</figcaption></figure>`}
    <section class="card"><h2>${t("normality.hours")}</h2><div class="scroll" tabindex="0" role="region" aria-label=${t("normality.hours")}><table>
      <thead><tr><th scope="col">${t("normality.hour")}</th><th scope="col">${t("normality.watched")}</th><th scope="col">${t("normality.motion")}</th></tr></thead>
      <tbody>${model.hours.map((hour, index) => html`<tr key=${index}><th scope="row">${index}</th>
        <td>${hour.watched_s > 0 ? duration(hour.watched_s) : "–"}</td>
        <td><meter min="0" max="1" value=${hour.moving} aria-label=${t("normality.motion")}></meter> ${percent(hour.moving)}</td></tr>`)}</tbody></table></div></section>`;
}

/**
 * The camera was moved: zones and lines may be in the wrong place.
 * @param {{id: string, onAccepted: () => void}} props
 */
export function NewView({ id, onAccepted }) {
  const { busy, error, run } = useChange();
  const [said, say] = useState("");
  const may = useMay("POST /cameras/{camera}/accept-view");
  const accept = () => run(async () => {
    const { taken } = await api.post(`cameras/${path(id)}/accept-view`);
    say(t(taken ? "view.taken" : "view.later"));
    onAccepted();
  });
  return html`<div class="notice bad" role="alert"><p>${t("view.changed")}</p>
    ${may && html`<button disabled=${busy} onClick=${accept}>${t("view.accept")}</button>`}
    <a class="button" href=${`#/zones/${encodeURIComponent(id)}`}>${t("nav.zones")}</a></div>
    <${Problem} error=${error} /><${Status}>${said}<//>`;
}
