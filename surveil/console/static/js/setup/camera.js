// How one camera is set up: title, addresses, on or off, removal.

import { html, useState } from "../../vendor/preact.js";
import { api, path } from "../api.js";
import { t } from "../i18n.js";
import { Badge, Field, Heading, Loading, Problem, Status, useApi, useChange } from "../ui.js";
import { AddressFields, nothing, Probing } from "./probe.js";

/** @param {{parts: string[]}} props */
export function CameraSetupPage({ parts: [id] }) {
  const { data, error, reload } = useApi(`cameras/${path(id)}/setup`);
  const [said, say] = useState("");
  return html`<${Heading} actions=${html`<a class="button" href="#/cameras">${t("nav.cameras")}</a>`}>${t("setup.of", { camera: data?.title || id })}<//>
    <${Problem} error=${error} /><${Status}>${said}<//>
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Form} key=${data.etag} setup=${data} onKept=${(kept) => {
      say(kept.applied ? t("editor.applied") : t("editor.kept", { why: kept.why_not }));
      reload();
    }} />`}`;
}

function Form({ setup, onKept }) {
  const place = `cameras/${path(setup.id)}`;
  const [title, setTitle] = useState(setup.title);
  const [enabled, setEnabled] = useState(setup.enabled);
  const [given, setGiven] = useState(nothing);
  const { busy, error, run } = useChange();
  const save = () => run(async () => onKept(await api.put(place, { ...given, title, enabled }, setup.etag)));
  const restore = () => run(async () => onKept(await api.post(`${place}/restore`)));
  const remove = () => run(async () => {
    await api.remove(place, setup.etag);
    location.hash = "#/cameras";
  });
  const submit = (event) => {
    event.preventDefault();
    save();
  };
  return html`<form class="card form narrow" onSubmit=${submit}>
    <${Field} label=${t("setup.title")}><input name="title" maxlength="80" value=${title} onInput=${(e) => setTitle(e.currentTarget.value)} /><//>
    <label class="check"><input type="checkbox" name="enabled" checked=${enabled} onChange=${(e) => setEnabled(e.currentTarget.checked)} /> ${t("setup.enabled")}</label>
    <dl class="facts"><dt>${t("setup.url")}</dt><dd>${setup.url}</dd>
      ${setup.record_url && html`<dt>${t("setup.record_url")}</dt><dd>${setup.record_url}</dd>`}
      <dt>${t("setup.origin")}</dt><dd><${Badge}>${t(`setup.origin.${setup.origin}`)}<//></dd></dl>
    <details><summary>${t("setup.address.new")}</summary><p>${t("setup.address.hint")}</p><${AddressFields} given=${given} onChange=${setGiven} needed=${false} /></details>
    <${Probing} given=${given} camera=${setup.id} />
    <${Problem} error=${error} />
    <div class="row"><button class="main" disabled=${busy}>${t("editor.save")}</button>
      ${setup.origin === "changed" && html`<button type="button" disabled=${busy} onClick=${restore}>${t("setup.restore")}</button>`}
      <${Removing} busy=${busy} onRemove=${remove} /></div>
  </form>`;
}

/** Removal is asked for twice. */
function Removing({ busy, onRemove }) {
  const [asked, ask] = useState(false);
  if (!asked) return html`<button type="button" class="danger" onClick=${() => ask(true)}>${t("setup.remove")}</button>`;
  return html`<button type="button" class="danger" disabled=${busy} onClick=${onRemove}>${t("setup.remove.really")}</button>
    <button type="button" onClick=${() => ask(false)}>${t("setup.keep")}</button>`;
}

/**
 * Cameras of the configuration file that were removed in the console.
 * @param {{names: string[], onRestored: () => void}} props
 */
export function Removed({ names, onRestored }) {
  const { busy, error, run } = useChange();
  const restore = (name) => run(async () => {
    await api.post(`cameras/${path(name)}/restore`);
    onRestored();
  });
  return html`<${Problem} error=${error} />${names.map((name) => html`<p class="row" key=${name}>${t("setup.removed", { camera: name })}
    <button disabled=${busy} onClick=${() => restore(name)}>${t("setup.restore.of", { camera: name })}</button></p>`)}`;
}
