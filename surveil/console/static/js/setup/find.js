// Cameras of the network: found by ONVIF, one of them taken into the form.

import { html, useState } from "../../vendor/preact.js";
import { api } from "../api.js";
import { t } from "../i18n.js";
import { Field, Problem, Status, useChange } from "../ui.js";

/**
 * @param {{given: import("./probe.js").Given, onTake: (camera: {id: string, url: string, record_url: string}) => void}} props
 */
export function Finding({ given, onTake }) {
  const [host, setHost] = useState("");
  const [found, setFound] = useState(null);
  const { busy, error, run } = useChange();
  const search = () => run(async () => setFound(await api.post("discovery", { user: given.user, password: given.password, host })));
  return html`<details><summary>${t("find")}</summary><p>${t("find.intro")}</p>
    <${Field} label=${t("find.host")} hint=${t("find.host.hint")}><input name="host" value=${host} autocomplete="off" spellcheck="false"
      onInput=${(event) => setHost(event.currentTarget.value)} /><//>
    <div class="row"><button type="button" disabled=${busy} onClick=${search}>${t("find.start")}</button></div>
    <${Problem} error=${error} />
    <${Status}>${busy ? t("find.running") : found ? t("find.count", { n: found.cameras.length }) : ""}<//>
    ${found && html`<ul class="advice">${found.cameras.map((camera) => html`<li key=${camera.id}>
        <strong>${camera.id}</strong> <span lang="en">${camera.about}${camera.advice && `; ${camera.advice}`}</span>
        <button type="button" onClick=${() => onTake(camera)}>${t("find.take", { camera: camera.id })}</button></li>`)}
      ${found.notes.map((note) => html`<li key=${note} lang="en">${note}</li>`)}</ul>`}</details>`;
}
