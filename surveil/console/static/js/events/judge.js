// Verdicts: by key or by button, on one event.

import { html, useState } from "../../vendor/preact.js";
import { api, path } from "../api.js";
import { t } from "../i18n.js";
import { Field, isTyping } from "../ui.js";

export const KEYS = { t: "true", f: "false", u: "unsure" };

const place = (id) => `events/${path(id)}`;

/** @param {{id: string, verdict_class?: string, note?: string}} event @param {string | null} verdict */
export const judge = (event, verdict, change = {}) =>
  api.put(`${place(event.id)}/verdict`, { verdict, class: event.verdict_class || "", note: event.note || "", ...change });

/** @param {{id: string}} event */
export const acknowledge = (event) => api.post(`${place(event.id)}/acknowledge`);

/**
 * What a key does to an event: null where it does nothing.
 * @param {KeyboardEvent} pressed
 */
export function actionOf(pressed) {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || isTyping(pressed)) return null;
  const verdict = KEYS[pressed.key];
  if (verdict) return (event) => judge(event, event.verdict === verdict ? null : verdict);
  return pressed.key === "a" ? acknowledge : null;
}

/** @param {{event: any, busy: boolean, onJudge: (verdict: string | null) => void, onAcknowledge: () => void}} props */
export function Verdict({ event, busy, onJudge, onAcknowledge }) {
  return html`<div class="row verdict" role="group" aria-label=${t("verdict")}>
    ${Object.entries(KEYS).map(([key, verdict]) => html`<button key=${key} class=${verdict} disabled=${busy}
      aria-pressed=${event.verdict === verdict} aria-keyshortcuts=${key}
      onClick=${() => onJudge(event.verdict === verdict ? null : verdict)}>${t(`verdict.${verdict}`)} <kbd>${key}</kbd></button>`)}
    ${event.acknowledged
      ? html`<span class="muted">${t("acknowledged")}</span>`
      : html`<button disabled=${busy} aria-keyshortcuts="a" onClick=${onAcknowledge}>${t("acknowledge")} <kbd>a</kbd></button>`}
  </div>`;
}

/**
 * What it was, and a note; kept together with the verdict.
 * @param {{event: any, busy: boolean, onSave: (change: object) => void}} props
 */
export function Remarks({ event, busy, onSave }) {
  const [label, setLabel] = useState(event.verdict_class || "");
  const [note, setNote] = useState(event.note || "");
  const submit = (e) => {
    e.preventDefault();
    onSave({ class: label, note });
  };
  return html`<form class="form" onSubmit=${submit}>
    <${Field} label=${t("verdict.class")} hint=${t("verdict.class.hint")}>
      <input maxlength="63" value=${label} onInput=${(e) => setLabel(e.currentTarget.value)} /><//>
    <${Field} label=${t("note")}>
      <textarea maxlength="2000" rows="3" value=${note} onInput=${(e) => setNote(e.currentTarget.value)}></textarea><//>
    <button disabled=${busy}>${t("save")}</button>
  </form>`;
}
