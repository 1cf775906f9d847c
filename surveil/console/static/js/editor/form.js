// A form for one rule, made from the JSON Schema of the configuration.

import { html } from "../../vendor/preact.js";
import { current, named, t } from "../i18n.js";
import { Field, Select } from "../ui.js";

/** Settings that matter first, in this order; the others are folded away. */
const FIRST = ["title", "zone", "line", "direction", "way", "scale", "classes", "after_s", "count", "min_kmh", "max_kmh", "states", "model", "class"];
const DRAWN = new Set(["scale", "way"]);

/** @param {any} schema @returns {Record<string, any>} the schema of each type of rule */
export function rulesOf(schema) {
  const { mapping } = schema.$defs.CameraSettings.properties.rules.items.discriminator;
  return Object.fromEntries(Object.entries(mapping).map(([type, ref]) => [type, schema.$defs[ref.split("/").pop()]]));
}

/**
 * Types of rule that are about a kind of shape.
 * @param {Record<string, any>} rules
 * @param {"zone" | "line"} kind
 */
export const typesFor = (rules, kind) => Object.keys(rules).filter((type) => kind in rules[type].properties);

/** What a value may be, without "or none". */
const plain = (schema) => schema.anyOf?.find((one) => one.type !== "null") || schema;
const isOptional = (schema) => Boolean(schema.anyOf?.some((one) => one.type === "null"));

/**
 * @param {{schema: any, rule: any, places: {zone: string[], line: string[]}, schedules: string[],
 *   onChange: (change: object) => void, onDraw: (kind: "scale" | "way") => void}} props
 */
export function RuleForm({ schema, rule, places, schedules, onChange, onDraw }) {
  const names = Object.keys(schema.properties).filter((name) => name !== "type");
  const first = FIRST.filter((name) => names.includes(name));
  const others = names.filter((name) => !FIRST.includes(name));
  const entry = (name) => html`<${Entry} key=${name} name=${name} schema=${schema.properties[name]} value=${rule[name]}
    required=${schema.required?.includes(name)} options=${optionsFor(name, places, schedules)}
    onChange=${(value) => onChange({ [name]: value })} onDraw=${onDraw} />`;
  return html`<div class="form">${first.map(entry)}
    ${others.length > 0 && html`<details><summary>${t("rule.more")}</summary>${others.map(entry)}</details>`}</div>`;
}

function optionsFor(name, places, schedules) {
  if (name === "zone" || name === "line") return places[name];
  return name === "schedule" ? schedules : null;
}

function Entry({ name, schema, value, required, options, onChange, onDraw }) {
  const label = named("field", name);
  const hint = current() === "en" ? schema.description : "";
  const kind = plain(schema);
  const given = value === undefined ? schema.default : value;
  if (DRAWN.has(name)) return html`<${Drawn} name=${name} label=${label} value=${value} onChange=${onChange} onDraw=${onDraw} />`;
  if (options) {
    const none = required ? [] : [["", t("rule.none")]];
    return html`<${Field} label=${label} hint=${hint}><${Select} value=${given || ""}
      options=${[...none, ...options.map((one) => [one, one])]} onChange=${(v) => onChange(v || undefined)} /><//>`;
  }
  if (kind.type === "array" && kind.items?.enum) {
    return html`<fieldset class="field"><legend>${label}</legend>${kind.items.enum.map((one) => html`<label class="check">
      <input type="checkbox" checked=${given?.includes(one)} onChange=${(e) => onChange(toggled(given || [], one, e.currentTarget.checked))} />
      ${named("value", one)}</label>`)}</fieldset>`;
  }
  return html`<${Field} label=${label} hint=${hint}>${control(kind, given, onChange, isOptional(schema))}<//>`;
}

const toggled = (list, one, on) => (on ? [...list, one] : list.filter((other) => other !== one));

function control(kind, value, onChange, optional) {
  if (kind.enum) {
    return html`<${Select} value=${value ?? ""} options=${kind.enum.map((one) => [one, named("value", one)])} onChange=${onChange} />`;
  }
  if (kind.type === "boolean") {
    return html`<input type="checkbox" checked=${value} onChange=${(e) => onChange(e.currentTarget.checked)} />`;
  }
  if (kind.type === "number" || kind.type === "integer") {
    return html`<input type="number" value=${value ?? ""} required=${!optional} min=${kind.minimum ?? kind.exclusiveMinimum}
      max=${kind.maximum} step=${kind.type === "integer" ? 1 : "any"}
      onChange=${(e) => onChange(e.currentTarget.value === "" ? undefined : Number(e.currentTarget.value))} />`;
  }
  if (kind.type === "array") {
    return html`<input value=${(value || []).join(", ")} onChange=${(e) => onChange(words(e.currentTarget.value))} />`;
  }
  return html`<input value=${value ?? ""} maxlength=${kind.maxLength} onChange=${(e) => onChange(e.currentTarget.value || undefined)} />`;
}

/**
 * "person, car" → two words; nothing → the default.
 * @param {string} text
 */
function words(text) {
  const found = text.split(/[,，、]/).map((word) => word.trim()).filter(Boolean);
  return found.length ? found : undefined;
}

/** The scale of the ground, or the allowed direction: drawn on the picture; of a scale two lengths are typed. */
function Drawn({ name, label, value, onChange, onDraw }) {
  const [, [width], [, depth]] = value?.metres || [[0, 0], [1, 0], [1, 1]];
  const measure = (w, d) => onChange({ points: value.points, metres: [[0, 0], [w, 0], [w, d], [0, d]] });
  const length = (text, now, set) => html`<${Field} label=${text}><input type="number" min="0.1" max="10000" step="any" value=${now}
    onChange=${(e) => Number(e.currentTarget.value) > 0 && set(Number(e.currentTarget.value))} /><//>`;
  return html`<fieldset class="field"><legend>${label}</legend>
    <p class="muted">${t(`editor.hint.${name}`)}</p>
    <button type="button" onClick=${() => onDraw(name)}>${t(value ? "editor.redraw" : "editor.draw")}</button>
    ${name === "scale" && value && html`<div class="row">
      ${length(t("editor.width.m"), width, (w) => measure(w, depth))}
      ${length(t("editor.depth.m"), depth, (d) => measure(width, d))}</div>`}
  </fieldset>`;
}
