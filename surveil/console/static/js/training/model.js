// The training that runs, and the versions that it has made: shadow, use, and back.

import { html, useState } from "../../vendor/preact.js";
import { api } from "../api.js";
import { ago, named, percent, t } from "../i18n.js";
import { Badge, Field, Problem, Select, Status, useChange } from "../ui.js";
import { useMay } from "../session.js";

/** @param {{place: string, set: any, job: any, onChange: () => void}} props */
export function Progress({ place, set, job, onChange }) {
  const may = useMay("POST /training/sets/{set}/train");
  const names = set.classes.map((one) => one.class);
  const [positive, setPositive] = useState("");
  const { busy, error, run } = useChange();
  const act = async (action) => {
    await run(action);
    onChange();
  };
  const runs = job?.state === "running";
  const alertOn = positive || names[names.length - 1] || "";
  return html`<${Problem} error=${error} /><${State} job=${job} />
    ${may && !runs && html`<div class="row"><${Field} label=${t("training.positive")}><${Select} value=${alertOn} onChange=${setPositive}
        options=${names.map((one) => [one, one])} /><//>
      <button class="main" disabled=${busy || !set.ready} onClick=${() => act(() => api.post(`${place}/train`, { positive: alertOn }))}>${t("training.start")}</button></div>`}
    ${may && runs && html`<button disabled=${busy} onClick=${() => act(() => api.remove("training/job"))}>${t("training.cancel")}</button>`}`;
}

function State({ job }) {
  if (!job) return html`<${Status} />`;
  if (job.state === "running") {
    const doing = job.doing ? named("training_step", job.doing) : t("training_step.starting");
    return html`<p role="status">${doing} ${job.doing && percent(job.share)}</p><progress value=${job.share} aria-label=${doing}></progress>`;
  }
  const kind = job.state === "done" ? "" : "bad";
  return html`<div class=${`notice ${kind}`} role="status"><p>${t(`training_state.${job.state}`)} <span class="muted">${ago(job.started_at)}</span></p>
    ${job.message && html`<p class="said">${job.message}</p>`}</div>`;
}

/** @param {{place: string, model: any, onChange: () => void}} props */
export function Model({ place, model, onChange }) {
  const may = useMay("POST /training/sets/{set}/deploy");
  const { busy, error, run } = useChange();
  const [said, say] = useState("");
  const act = (what, shadow, words) => async () => {
    if (await run(() => api.post(`${place}/${what}`, { shadow }))) say(t(words));
    onChange();
  };
  const used = model.in_use || model.shadow;
  if (!model.trained_at && !used) return null;
  return html`<section class="card"><h2>${t("training.use")}</h2><${Problem} error=${error} /><${Status}>${said}<//>
    ${model.damage && html`<p class="notice bad">${model.damage}</p>`}
    <p class="row">${model.in_use ? html`<${Badge} kind="good">${t("training.in_use", { version: model.in_use })}<//>` : html`<span class="muted">${t("training.unused")}</span>`}
      ${model.shadow && html`<${Badge} kind="warn">${t("training.in_shadow", { version: model.shadow })}<//>`}</p>
    <p>${model.cameras.length ? t("training.asked", { cameras: model.cameras.join(", ") }) : html`${t("training.unasked", { name: model.name })} <a href="#/zones">${t("nav.zones")}</a>`}</p>
    ${may && html`<div class="row">
      ${model.trained_at && html`<button disabled=${busy} onClick=${act("deploy", true, "training.shadowed")}>${t("training.deploy.shadow")}</button>
        <button class=${model.objections.length ? "danger" : "main"} disabled=${busy} onClick=${act("deploy", false, "training.deployed")}>
          ${t(model.objections.length ? "training.deploy.anyway" : "training.deploy")}</button>`}
      ${model.in_use && model.in_use !== model.versions[0] && html`<button disabled=${busy} onClick=${act("rollback", false, "training.back")}>${t("training.rollback")}</button>`}
      ${model.shadow && html`<button disabled=${busy} onClick=${act("rollback", true, "training.unshadowed")}>${t("training.shadow.end")}</button>`}</div>`}
  </section>`;
}
