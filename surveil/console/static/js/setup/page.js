// The wizard for a camera: address, name, first zone, live picture.

import { html, useState } from "../../vendor/preact.js";
import { api } from "../api.js";
import { named, t } from "../i18n.js";
import { CameraEditor } from "../editor/page.js";
import { Field, Heading, Loading, Problem, Status, useApi, useChange } from "../ui.js";
import { Finding } from "./find.js";
import { AddressFields, nothing, Probing } from "./probe.js";

const STEPS = ["address", "name", "zone"];

/** @param {{parts: string[]}} props the camera, once it has a name */
export function SetupPage({ parts: [id] }) {
  const [given, setGiven] = useState(nothing);
  const [probed, setProbed] = useState(false);
  const [found, setFound] = useState("");
  const take = ({ id: name, url, record_url }) => {
    setGiven({ ...given, url, record_url });
    setFound(name);
  };
  const step = id ? "zone" : probed ? "name" : "address";
  return html`<${Heading}>${t("setup")}<//>
    <ol class="steps">${STEPS.map((one) => html`<li key=${one} aria-current=${one === step ? "step" : null}>${t(`setup.step.${one}`)}</li>`)}</ol>
    ${id ? html`<${FirstZone} id=${id} />` : html`<form class="card form narrow" onSubmit=${(event) => event.preventDefault()}>
      <p>${t("setup.intro")}</p>
      <${AddressFields} given=${given} onChange=${setGiven} needed />
      <${Finding} given=${given} onTake=${take} />
      <${Probing} given=${given} onFound=${setProbed} />
      <${Naming} key=${found} given=${given} probed=${probed} id=${found} />
    </form>`}`;
}

/** A camera may be added before it works: it is tried again and again. */
function Naming({ given, probed, id }) {
  const [called, setCalled] = useState({ id, title: "" });
  const { busy, error, run } = useChange();
  const [why, setWhy] = useState("");
  const next = `#/setup/${encodeURIComponent(called.id)}`;
  const add = () => run(async () => {
    const kept = await api.post("cameras", { ...given, ...called });
    if (kept.applied) location.hash = next;
    else setWhy(t("editor.kept", { why: kept.why_not }));
  });
  const input = (name, more) => html`<${Field} label=${t(`setup.${name}`)} hint=${t(`setup.${name}.hint`)}><input name=${name} value=${called[name]}
    ...${more} onInput=${(event) => setCalled({ ...called, [name]: event.currentTarget.value })} /><//>`;
  return html`<fieldset class="form"><legend>${t("setup.step.name")}</legend>
    ${input("id", { maxlength: 63, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*", autocomplete: "off" })}${input("title", { maxlength: 80 })}
    <${Problem} error=${error} /><${Status}>${why}<//>
    ${why && html`<a class="button" href=${next}>${t("setup.step.zone")}</a>`}
    <button type="button" class=${probed ? "main" : ""} disabled=${busy || !given.url || !called.id} onClick=${add}>
      ${t(probed ? "setup.add" : "setup.add.untried")}</button></fieldset>`;
}

/** The first zone with its rule, in the editor; once it is saved, the live picture. */
function FirstZone({ id }) {
  const { data, error } = useApi("cameras", { everyS: 2 });
  const camera = data?.cameras.find((one) => one.id === id);
  const live = `#/live/${encodeURIComponent(id)}`;
  const [editing, setEditing] = useState(null);
  if (camera?.last_picture_at && !editing) setEditing(camera);
  return html`<${Problem} error=${error} />
    ${!editing && html`<${Loading} /><p>${t("setup.waiting")}</p>`}
    ${!editing && camera?.error && html`<p class="notice bad">${named("cause", camera.cause)} <span lang="en">${camera.error}</span></p>`}
    ${editing && html`<p>${t("setup.zone")}</p><${CameraEditor} camera=${editing} onSaved=${() => (location.hash = live)} />`}
    <p class="row"><a class="button" href=${live}>${t("setup.later")}</a></p>`;
}
