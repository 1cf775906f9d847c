// Training by clicks: all data sets, or one of them.

import { html, useState } from "../../vendor/preact.js";
import { path } from "../api.js";
import { t } from "../i18n.js";
import { Badge, Field, Heading, Loading, Problem, useApi } from "../ui.js";
import { useMay } from "../session.js";
import { Collect } from "./collect.js";
import { Model, Progress } from "./model.js";
import { Lacks, Pictures } from "./pictures.js";
import { Report } from "./report.js";

const RUNNING_S = 1;
const CALM_S = 10;

/** @param {{parts: string[]}} props */
export function TrainingPage({ parts: [name] }) {
  return name ? html`<${OneSet} name=${name} />` : html`<${List} />`;
}

function List() {
  const { data, error } = useApi("training", { everyS: CALM_S });
  const may = useMay("POST /training/sets/{set}/pictures");
  return html`<${Heading}>${t("nav.training")}<//><${Problem} error=${error} />
    <p class="muted">${t("training.about")}</p>
    ${!data && !error && html`<${Loading} />`}
    ${data && !data.sets.length && html`<p>${t("training.none")}</p>`}
    <div class="tiles">${data?.sets.map((one) => html`<${Summary} key=${one.name} set=${one} />`)}</div>
    ${may && html`<${Begin} />`}`;
}

function Summary({ set }) {
  return html`<article class="card"><h2><a href=${`#/training/${encodeURIComponent(set.name)}`}>${set.name}</a></h2>
    <p class="row">${set.classes.map((one) => html`<${Badge}>${one.class} ${one.pictures}<//>`)}</p>
    <p class="row">${set.model.in_use && html`<${Badge} kind="good">${t("training.in_use", { version: set.model.in_use })}<//>`}
      ${set.model.shadow && html`<${Badge} kind="warn">${t("training.in_shadow", { version: set.model.shadow })}<//>`}
      ${!set.model.in_use && !set.model.shadow && html`<span class="muted">${t("training.unused")}</span>`}</p></article>`;
}

/** A data set is made by its first picture: naming it is enough. */
function Begin() {
  const [name, setName] = useState("");
  const begin = (event) => {
    event.preventDefault();
    if (name) location.hash = `#/training/${encodeURIComponent(name)}`;
  };
  return html`<form class="card form" onSubmit=${begin}>
    <${Field} label=${t("training.new")} hint=${t("training.new.hint")}><input value=${name} maxlength="63" pattern="[a-z0-9][a-z0-9._\\-]*"
      onInput=${(e) => setName(e.currentTarget.value)} /><//>
    <div class="row"><button class="main">${t("training.begin")}</button></div></form>`;
}

function OneSet({ name }) {
  const place = `training/sets/${path(name)}`;
  const [running, setRunning] = useState(false);
  const { data, error, reload } = useApi(place, { everyS: running ? RUNNING_S : CALM_S });
  const [classes, setClasses] = useState([]);
  const job = data?.job?.set === name ? data.job : null;
  const runs = job?.state === "running";
  if (data && runs !== running) setRunning(runs);
  const known = [...new Set([...(data?.about.classes || []).map((one) => one.class), ...classes])];
  return html`<${Heading} actions=${html`<a class="button" href="#/training">${t("nav.training")}</a>`}>${name}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Collect} name=${name} place=${place} classes=${known} onClass=${(one) => setClasses([...classes, one])} onChange=${reload} />
      <${Pictures} place=${place} set=${data} classes=${known} onChange=${reload} />
      <section class="card"><h2>${t("training.train")}</h2>
        <${Lacks} lacks=${data.about.lacks} /><${Progress} place=${place} set=${data.about} job=${job} onChange=${reload} /></section>
      ${data.about.model.trained_at && !runs && html`<${Report} key=${data.about.model.trained_at} place=${place} />`}
      <${Model} place=${place} model=${data.about.model} onChange=${reload} />`}`;
}
