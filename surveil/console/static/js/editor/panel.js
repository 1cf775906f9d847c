// Beside the picture: the list of shapes, what the chosen one is called, and its rules.

import { html } from "../../vendor/preact.js";
import { named, t } from "../i18n.js";
import { Badge, Field, Select } from "../ui.js";
import { freeName, mayBeNamed, renamed, withRule, withShape, without } from "./draft.js";
import { pointsOf } from "./geometry.js";
import { RuleForm, typesFor } from "./form.js";

const KINDS = /** @type {const} */ (["zone", "line", "mask"]);
const HIDES = ["", "detect", "store", "both"];

/**
 * @param {{draft: import("./draft.js").Draft, origins: Record<string, string>, selected: import("./draft.js").Where | null,
 *   onSelect: Function, onDraw: Function}} props
 */
export function ShapeList({ draft, origins, selected, onSelect, onDraw }) {
  return html`<section aria-label=${t("editor.shapes")}>
    <div class="row">${KINDS.map((kind) => html`<button onClick=${() => onDraw(kind)} data-add=${kind}>${t(`editor.add.${kind}`)}</button>`)}</div>
    <ul class="list">${KINDS.flatMap((kind) => Object.entries(draft[`${kind}s`]).map(([name, shape]) => html`<li key=${`${kind} ${name}`}>
      <button class="plain" aria-pressed=${selected?.kind === kind && selected.name === name}
        onClick=${() => onSelect({ kind, name })}>
        <span class=${`key ${kind}`}></span>${shape.title || name} <span class="muted">${t(`editor.${kind}`)}</span>
        ${origins[`${kind}s`] === "console" && html` <${Badge}>${t("editor.draft")}<//>`}</button></li>`))}</ul>
  </section>`;
}

/** @param {{draft: any, where: any, onChange: Function, onSelect: Function, say: Function}} props */
export function ShapeForm({ draft, where, onChange, onSelect, say }) {
  const shape = draft[`${where.kind}s`][where.name];
  const titled = Array.isArray(shape) ? { points: shape } : shape;
  const rename = (to) => {
    if (!mayBeNamed(draft, where, to)) return say(t("editor.name.bad"));
    onChange(renamed(draft, where, to));
    return onSelect({ ...where, name: to });
  };
  const remove = () => {
    onChange(without(draft, where));
    onSelect(null);
  };
  return html`<section class="form" aria-label=${where.name}>
    <${Field} label=${t("editor.name")}><input value=${where.name} onChange=${(e) => rename(e.currentTarget.value)} /><//>
    ${where.kind !== "mask" && html`<${Field} label=${t("editor.title")}><input maxlength="80" value=${titled.title || ""}
      onChange=${(e) => onChange(withShape(draft, where, { ...titled, title: e.currentTarget.value }))} /><//>`}
    ${where.kind === "mask" && html`<${Field} label=${t("editor.hide")}><${Select} value=${titled.hide || ""}
      options=${HIDES.map((hide) => [hide, t(`editor.hide.${hide || "no"}`)])}
      onChange=${(hide) => onChange(withShape(draft, where, { ...titled, points: pointsOf(shape), hide: hide || undefined }))} /><//>`}
    <button class="danger" onClick=${remove}>${t("editor.remove", { name: where.name })}</button>
  </section>`;
}

/** @param {{draft: any, where: any, rules: any, schedules: string[], onChange: Function, onDraw: Function}} props */
export function RuleList({ draft, where, rules, schedules, onChange, onDraw }) {
  if (where.kind === "mask") return null;
  const places = { zone: Object.keys(draft.zones), line: Object.keys(draft.lines) };
  const mine = draft.rules.map((rule, index) => ({ rule, index })).filter(({ rule }) => rule[where.kind] === where.name);
  const add = (type) => type && onChange({ ...draft, rules: [...draft.rules, { type, [where.kind]: where.name }] });
  const types = typesFor(rules, where.kind).map((type) => [type, named("rule", type)]);
  return html`<section aria-label=${t("editor.rules")}><h2>${t("editor.rules")}</h2>
    ${!mine.length && html`<p class="muted">${t("editor.norules")}</p>`}
    ${mine.map(({ rule, index }) => html`<details class="card" key=${index} open><summary>${named("rule", rule.type)}</summary>
      <${RuleForm} schema=${rules[rule.type]} rule=${rule} places=${places} schedules=${schedules}
        onChange=${(change) => onChange(withRule(draft, index, change))} onDraw=${(kind) => onDraw(kind, String(index))} />
      <button class="danger" onClick=${() => onChange({ ...draft, rules: draft.rules.filter((_, at) => at !== index) })}>${t("rule.remove")}</button>
    </details>`)}
    <${Field} label=${t("rule.add")}><${Select} value="" options=${[["", t("rule.choose")], ...types]} onChange=${add} /><//>
  </section>`;
}

/**
 * The draft with what was drawn, and where it is.
 * @param {any} draft @param {{kind: any, rule?: string}} drawing @param {any[]} points
 * @returns {{next: any, where: import("./draft.js").Where | null}}
 */
export function taken(draft, { kind, rule }, points) {
  if (kind === "way") return { next: withRule(draft, Number(rule), { way: points }), where: null };
  if (kind === "scale") {
    const metres = draft.rules[Number(rule)].scale?.metres || [[0, 0], [5, 0], [5, 5], [0, 5]];
    return { next: withRule(draft, Number(rule), { scale: { points, metres } }), where: null };
  }
  const where = { kind, name: freeName(draft, kind) };
  return { next: withShape(draft, where, { points }), where };
}
