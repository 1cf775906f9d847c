// What the newest training was worth, and the pictures that it gets most wrong.

import { html } from "../../vendor/preact.js";
import { number, percent, t } from "../i18n.js";
import { Badge, Loading, Picture, Problem, useApi } from "../ui.js";

/** @param {{place: string}} props */
export function Report({ place }) {
  const { data, error } = useApi(`${place}/report`);
  if (!data) return html`<${Problem} error=${error} />${!error && html`<${Loading} />`}`;
  const sizes = { learned: data.sizes.train || 0, chosen: data.sizes.validation || 0, tested: data.sizes.test || 0 };
  return html`<section class="card"><h2>${t("training.report")} <${Badge} kind=${data.recommended ? "good" : "bad"}>
      ${t(data.recommended ? "training.recommended" : "training.not_recommended")}<//></h2>
    ${data.objections.map((text) => html`<p class="notice bad">${text}</p>`)}
    <p class="muted">${t("training.sizes", sizes)}</p>
    ${data.warnings.length > 0 && html`<ul>${data.warnings.map((text) => html`<li>${text}</li>`)}</ul>`}
    <div class="split"><${Figures} report=${data} /><${Confusion} report=${data} /></div>
    <h2>${t("training.worst")}</h2>
    ${data.worst.length === 0 && html`<p>${t("training.worst.none")}</p>`}
    <ul class="crops">${data.worst.map((one) => html`<li key=${one.url}><figure class="crop"><${Picture} src=${one.url} alt="" />
      <figcaption>${t("training.mistake", { is: one.is, taken: one.taken_for, share: percent(one.score) })}</figcaption></figure></li>`)}</ul>
  </section>`;
}

const figure = (value) => (value === null || value === undefined ? "–" : number(value, { maximumFractionDigits: 3 }));

function Figures({ report }) {
  const beside = Object.keys(report.deployed).length > 0;
  return html`<div class="scroll" tabindex="0"><table><thead><tr><th>${t("training.figure")}</th><th>${t("training.value")}</th><th>${t("training.interval")}</th>
    ${beside && html`<th>${t("training.deployed.one")}</th>`}</tr></thead>
    <tbody>${Object.entries(report.figures).map(([name, one]) => html`<tr key=${name}><td>${t(`figure.${name}`)}</td><td>${figure(one.value)}</td>
      <td>${one.low === null ? "" : `${figure(one.low)} … ${figure(one.high)}`}</td>${beside && html`<td>${figure(report.deployed[name]?.value)}</td>`}</tr>`)}</tbody></table></div>`;
}

function Confusion({ report }) {
  return html`<div class="scroll" tabindex="0"><table><caption>${t("training.confusion")}</caption>
    <thead><tr><td></td>${report.classes.map((name) => html`<th>${name}</th>`)}</tr></thead>
    <tbody>${report.classes.map((name, row) => html`<tr key=${name}><th>${name}</th>${report.confusion[row].map((n) => html`<td>${n}</td>`)}</tr>`)}</tbody></table></div>`;
}
