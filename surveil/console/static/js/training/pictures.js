// What is in a data set, how varied it is, and what it lacks.

import { html, useState } from "../../vendor/preact.js";
import { api } from "../api.js";
import { moment, t } from "../i18n.js";
import { Picture, Problem, Select, useChange } from "../ui.js";
import { useMay } from "../session.js";

const SHOWN = 60;

/** @param {{place: string, set: any, classes: string[], onChange: () => void}} props */
export function Pictures({ place, set, classes, onChange }) {
  const [label, setLabel] = useState("");
  const [shown, setShown] = useState(SHOWN);
  const mine = set.pictures.filter((one) => !label || one.class === label);
  if (!set.about.pictures) return null;
  return html`<section class="card"><h2>${t("training.pictures", { n: set.about.pictures })}</h2>
    <div class="scroll" tabindex="0"><table><thead><tr><th>${t("training.class")}</th><th>${t("training.count")}</th><th>${t("training.moments")}</th>
      <th>${t("nav.cameras")}</th><th>${t("training.days")}</th></tr></thead>
      <tbody>${set.about.classes.map((one) => html`<tr key=${one.class}><td>${one.class}</td><td>${one.pictures}</td><td>${one.moments}</td>
        <td>${one.cameras.join(", ")}</td><td>${one.days}</td></tr>`)}</tbody></table></div>
    <div class="row" role="group" aria-label=${t("training.class")}>${["", ...set.about.classes.map((one) => one.class)].map((one) => html`<button key=${one}
      aria-pressed=${one === label} onClick=${() => setLabel(one)}>${one || t("filter.all")}</button>`)}</div>
    <ul class="crops">${mine.slice(0, shown).map((one) => html`<li key=${one.url}><${One} picture=${one} classes=${classes} onChange=${onChange} /></li>`)}</ul>
    ${mine.length > shown && html`<button onClick=${() => setShown(shown + SHOWN)}>${t("training.older")}</button>`}
  </section>`;
}

function One({ picture, classes, onChange }) {
  const may = useMay("PUT /training/sets/{set}/pictures/{picture}");
  const { busy, error, run } = useChange();
  const change = async (action) => {
    await run(action);
    onChange();
  };
  const what = picture.at === null ? picture.camera : `${picture.camera}, ${moment(picture.at)}`;
  return html`<figure class="crop"><${Picture} src=${picture.url} alt=${`${picture.class}: ${what}`} /><${Problem} error=${error} />
    ${may && html`<div class="row"><${Select} aria-label=${t("training.class.of", { what })} value=${picture.class} disabled=${busy}
      options=${classes.map((one) => [one, one])} onChange=${(label) => change(() => api.put(picture.url, { class: label }))} />
      <button class="plain danger" disabled=${busy} aria-label=${t("training.remove.of", { what })}
        onClick=${() => change(() => api.remove(picture.url))}>×</button></div>`}</figure>`;
}

/** @param {{lacks: {what: string, class: string, more: number}[]}} props */
export function Lacks({ lacks }) {
  if (!lacks.length) return null;
  return html`<ul class="notice">${lacks.map((one) => html`<li key=${one.what + one.class}>
    ${t(`lack.${one.what}`, { n: one.more, class: one.class })}</li>`)}</ul>`;
}
