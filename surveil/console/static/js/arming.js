// Which rules may alert: switched by rule, camera, site, or all at once, with or without an end.

import { html, useState } from "../vendor/preact.js";
import { api } from "./api.js";
import { moment, named, t } from "./i18n.js";
import { Badge, Field, Heading, Loading, Problem, Select, Status, useApi, useChange } from "./ui.js";
import { useMay } from "./session.js";

const HOURS = ["", "1", "4", "8", "24"];

export function ArmingPage() {
  const { data, error, reload } = useApi("arming", { everyS: 5 });
  const { busy, error: refused, run } = useChange();
  const [hours, setHours] = useState("");
  const [said, say] = useState("");
  const may = useMay("POST /arming");
  const rules = data?.rules || [];
  const set = async (armed, which) => {
    const until = hours ? Date.now() / 1000 + 3600 * Number(hours) : null;
    if (await run(() => api.post("arming", { armed, until, ...which }))) say(t(armed ? "arming.armed" : "arming.disarmed"));
    reload();
  };
  const buttons = (which, name) => may && html`<div class="row">
    <button disabled=${busy} onClick=${() => set(true, which)} aria-label=${t("arming.arm.of", { name })}>${t("arming.arm")}</button>
    <button disabled=${busy} onClick=${() => set(false, which)} aria-label=${t("arming.disarm.of", { name })}>${t("arming.disarm")}</button></div>`;
  const sites = unique(rules.map((rule) => rule.site).filter(Boolean));
  return html`<${Heading}>${t("nav.arming")}<//>
    <${Problem} error=${error || refused} /><${Status}>${said}<//>
    ${!data && !error && html`<${Loading} />`}
    ${data && !rules.length && html`<p>${t("arming.none")}</p>`}
    ${may && rules.length > 0 && html`<div class="row"><${Field} label=${t("arming.until")}><${Select} value=${hours} onChange=${setHours}
      options=${HOURS.map((n) => [n, n ? t("arming.hours", { n: Number(n) }) : t("arming.forever")])} /><//></div>`}
    <div class="tiles">
      ${may && rules.length > 0 && html`<section class="card"><h2>${t("arming.all")}</h2>${buttons({}, t("arming.all"))}</section>`}
      ${sites.map((site) => html`<section class="card" key=${`site ${site}`}><h2>${t("arming.site", { site })}</h2>${buttons({ site }, site)}</section>`)}
      ${unique(rules.map((rule) => rule.camera)).map((camera) => html`<section class="card" key=${camera}>
        <h2>${rules.find((rule) => rule.camera === camera).camera_title}</h2>${buttons({ camera }, camera)}
        <ul class="list">${rules.filter((rule) => rule.camera === camera).map((rule) => html`<li key=${rule.rule}>
          <${Rule} rule=${rule} />${buttons({ camera, rule: rule.rule }, `${camera}: ${rule.title}`)}</li>`)}</ul>
      </section>`)}
    </div>`;
}

function Rule({ rule }) {
  const change = rule.changes_at && t(rule.armed ? "arming.disarmed.at" : "arming.armed.at", { at: moment(rule.changes_at) });
  return html`<p data-rule=${`${rule.camera}/${rule.rule}`}>${named("rule", rule.title)} <${Badge} kind=${rule.armed ? "good" : "warn"}>
    ${t(rule.armed ? "arming.is.armed" : "arming.is.disarmed")}<//> ${change && html`<span class="muted">${change}</span>`}</p>`;
}

/** @param {string[]} list */
const unique = (list) => [...new Set(list)];
