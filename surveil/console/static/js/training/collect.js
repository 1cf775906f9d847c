// Crops of events and of zones, sorted into classes by a click each.

import { html, useState } from "../../vendor/preact.js";
import { api, path } from "../api.js";
import { moment, t } from "../i18n.js";
import { Badge, Field, Loading, Picture, Problem, Select, Status, useApi, useChange } from "../ui.js";
import { useMay } from "../session.js";

const PAGE = 60;

/** @param {{name: string, place: string, classes: string[], onClass: (name: string) => void, onChange: () => void}} props */
export function Collect({ name, place, classes, onClass, onChange }) {
  const may = useMay("POST /training/sets/{set}/pictures");
  const [chosen, choose] = useState("");
  const [from, setFrom] = useState({ camera: "", rule: "", zone: "" });
  const [cursor, setCursor] = useState("");
  const [said, say] = useState("");
  const { busy, error, run } = useChange();
  const crops = useApi(may ? "training/crops" : null, { query: { ...from, set: name, cursor, limit: PAGE } });
  if (!may) return null;
  const label = chosen || classes[0] || "";
  const add = (of) => run(async () => {
    await api.post(`${place}/pictures`, { class: label, ...of });
    say(t("training.added", { class: label }));
    crops.reload();
    onChange();
  });
  const look = (change) => {
    setFrom({ ...from, ...change });
    setCursor("");
  };
  return html`<section class="card"><h2>${t("training.collect")}</h2>
    <p class="muted">${t("training.collect.hint")}</p>
    <${Classes} classes=${classes} chosen=${label} choose=${choose} onClass=${onClass} />
    <${From} from=${from} look=${look} />
    <${Problem} error=${error || crops.error} /><${Status}>${said}<//>
    ${from.zone && html`<button disabled=${busy || !label} onClick=${() => add({ camera: from.camera, zone: from.zone })}>
      ${t("training.now", { class: label })}</button>`}
    ${!crops.data && !crops.error && html`<${Loading} />`}
    ${crops.data?.crops.length === 0 && html`<p>${t("training.crops.none")}</p>`}
    <ul class="crops">${crops.data?.crops.map((crop) => html`<li key=${crop.event}><${Crop} crop=${crop} label=${label} busy=${busy}
      onClick=${() => add({ event: crop.event, zone: from.zone })} /></li>`)}</ul>
    <div class="row">${cursor && html`<button onClick=${() => setCursor("")}>${t("training.newest")}</button>`}
      ${crops.data?.next && html`<button onClick=${() => setCursor(crops.data.next)}>${t("training.older")}</button>`}</div>
  </section>`;
}

function Crop({ crop, label, busy, onClick }) {
  const what = `${crop.camera}, ${moment(crop.start)}`;
  return html`<button class="crop" disabled=${busy || !label} onClick=${onClick} aria-label=${t("training.sort", { what, class: label })}>
    <${Picture} src=${crop.url} alt="" />${crop.class && html`<${Badge} kind="good">${crop.class}<//>`}</button>`;
}

/** The class that a click gives, and new ones. */
function Classes({ classes, chosen, choose, onClass }) {
  const [name, setName] = useState("");
  const add = (event) => {
    event.preventDefault();
    const made = name.trim();
    if (!made) return;
    if (!classes.includes(made)) onClass(made);
    choose(made);
    setName("");
  };
  return html`<form class="row" onSubmit=${add}>
    <div class="row" role="group" aria-label=${t("training.class")}>${classes.map((one) => html`<button key=${one} type="button"
      aria-pressed=${one === chosen} onClick=${() => choose(one)}>${one}</button>`)}</div>
    <${Field} label=${t("training.class.new")}><input value=${name} maxlength="63" onInput=${(e) => setName(e.currentTarget.value)} /><//>
    <button>${t("training.class.add")}</button></form>`;
}

function From({ from, look }) {
  const { data } = useApi("cameras");
  const shapes = useApi(from.camera ? `cameras/${path(from.camera)}/shapes` : null);
  const cameras = (data?.cameras || []).map((one) => [one.id, one.title || one.id]);
  const zones = Object.keys(shapes.data?.zones || {}).map((one) => [one, one]);
  return html`<div class="filters">
    <${Field} label=${t("filter.camera")}><${Select} value=${from.camera} onChange=${(camera) => look({ camera, zone: "" })}
      options=${[["", t("filter.all")], ...cameras]} /><//>
    <${Field} label=${t("filter.rule")}><input value=${from.rule} onChange=${(e) => look({ rule: e.currentTarget.value.trim() })} /><//>
    <${Field} label=${t("training.cut")}><${Select} value=${from.zone} onChange=${(zone) => look({ zone })}
      options=${[["", t("training.cut.object")], ...zones]} /><//></div>`;
}
