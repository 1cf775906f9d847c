// What is edited: the shapes and rules of one camera, with undo. Pure; nothing is changed in place.

import { crosses, edgeNear, isWhole, pointsOf, snap, tidy } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {"zone" | "line" | "mask" | "scale" | "way"} Kind */
/** @typedef {{kind: Kind, name: string}} Where scale and way belong to a rule: its number is the name */
/** @typedef {{zones: Record<string, any>, lines: Record<string, any>, masks: Record<string, any>, rules: any[]}} Draft */

const FOLDER = { zone: "zones", line: "lines", mask: "masks" };
/**
 * Points that end the drawing by themselves.
 * @type {Partial<Record<Kind, number>>}
 */
export const FULL = { line: 2, way: 2, scale: 4 };
const OPEN = new Set(["line", "way"]);
const STEPS = 200;

/** @param {Kind} kind */
export const isClosed = (kind) => !OPEN.has(kind);

/** @param {any} shapes as the daemon gives them @returns {Draft} */
export const fromServer = (shapes) => ({
  zones: shapes.zones || {}, lines: shapes.lines || {}, masks: shapes.masks || {}, rules: shapes.rules || [],
});

/** @param {Draft} draft @param {Where} where @returns {Point[]} */
export function points(draft, { kind, name }) {
  if (kind === "scale") return draft.rules[Number(name)]?.scale?.points || [];
  if (kind === "way") return draft.rules[Number(name)]?.way || [];
  return pointsOf(draft[FOLDER[kind]][name]);
}

/** @param {Draft} draft @param {Where} where @param {Point[]} list @returns {Draft} */
export function withPoints(draft, { kind, name }, list) {
  if (kind === "way") return withRule(draft, Number(name), { way: list });
  if (kind === "scale") {
    const metres = draft.rules[Number(name)].scale?.metres || [[0, 0], [1, 0], [1, 1], [0, 1]];
    return withRule(draft, Number(name), { scale: { points: list, metres } });
  }
  const old = draft[FOLDER[kind]][name];
  return withShape(draft, { kind, name }, { ...(Array.isArray(old) ? {} : old), points: list });
}

/** @param {Draft} draft @param {Where} where @param {any} shape @returns {Draft} */
export const withShape = (draft, { kind, name }, shape) => ({
  ...draft, [FOLDER[kind]]: { ...draft[FOLDER[kind]], [name]: shape },
});

/** @param {Draft} draft @param {number} index @param {object} change undefined values are left out @returns {Draft} */
export function withRule(draft, index, change) {
  const rule = Object.fromEntries(Object.entries({ ...draft.rules[index], ...change }).filter(([, v]) => v !== undefined));
  return { ...draft, rules: draft.rules.map((old, at) => (at === index ? rule : old)) };
}

/** @param {Draft} draft @param {Where} where @returns {Draft} without the shape, and without the rules that need it */
export function without(draft, { kind, name }) {
  if (kind === "scale") return withRule(draft, Number(name), { scale: undefined });
  if (kind === "way") return withRule(draft, Number(name), { way: undefined });
  const { [name]: _gone, ...kept } = draft[FOLDER[kind]];
  const rules = kind === "mask" ? draft.rules : draft.rules.filter((rule) => rule[kind] !== name);
  return { ...draft, [FOLDER[kind]]: kept, rules };
}

/** @param {Draft} draft @param {Where} where @param {string} to @returns {Draft} rules follow */
export function renamed(draft, { kind, name }, to) {
  const entries = Object.entries(draft[FOLDER[kind]]).map(([key, shape]) => [key === name ? to : key, shape]);
  const rules = kind === "mask" ? draft.rules : draft.rules.map((rule) => (rule[kind] === name ? { ...rule, [kind]: to } : rule));
  return { ...draft, [FOLDER[kind]]: Object.fromEntries(entries), rules };
}

/**
 * A name that is free: zone1, zone2, …
 * @param {Draft} draft
 * @param {Kind} kind
 */
export function freeName(draft, kind) {
  let number = 1;
  while (`${kind}${number}` in draft[FOLDER[kind]]) number += 1;
  return `${kind}${number}`;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** @param {Draft} draft @param {Where} where @param {string} to */
export const mayBeNamed = (draft, { kind, name }, to) => NAME.test(to) && (to === name || !(to in draft[FOLDER[kind]]));

/**
 * Move a point.
 * @param {Draft} draft
 * @param {Where} where
 * @param {number} index
 * @param {Point} to
 * @returns {Draft | null} null: the outline would cross itself
 */
export function moved(draft, where, index, to) {
  const list = points(draft, where).map((point, at) => (at === index ? snap(to) : point));
  return fits(where.kind, list) ? withPoints(draft, where, list) : null;
}

/**
 * Add a point on the edge that is nearest.
 * @param {Draft} draft
 * @param {Where} where
 * @param {Point} at
 * @returns {Draft | null}
 */
export function inserted(draft, where, at) {
  if (where.kind in FULL) return null;
  const list = points(draft, where);
  const kept = [...list];
  kept.splice(edgeNear(list, at, isClosed(where.kind)), 0, tidy(at));
  return fits(where.kind, kept) ? withPoints(draft, where, kept) : null;
}

/**
 * Take a point out.
 * @param {Draft} draft
 * @param {Where} where
 * @param {number} index
 * @returns {Draft | null} null: too few would be left
 */
export function shortened(draft, where, index) {
  const kept = points(draft, where).filter((_, at) => at !== index);
  return !(where.kind in FULL) && fits(where.kind, kept) ? withPoints(draft, where, kept) : null;
}

/** @param {Kind} kind @param {Point[]} list */
const fits = (kind, list) => isWhole(kind === "way" ? "line" : kind === "mask" ? "zone" : kind, list);

/**
 * Whether a drawing can go on with a point.
 * @param {Point[]} drawn
 * @param {Point} next
 */
export const mayContinue = (drawn, next) => !crosses([...drawn, next], false);

/**
 * Whether a drawing can end.
 * @param {Kind} kind
 * @param {Point[]} drawn
 */
export const mayEnd = (kind, drawn) => fits(kind, drawn);

/** @typedef {{past: Draft[], now: Draft, future: Draft[]}} History */

/** @param {Draft} draft @returns {History} */
export const begun = (draft) => ({ past: [], now: draft, future: [] });

/** @param {History} history @param {Draft} draft @param {boolean} [replace] it goes on with the last step @returns {History} */
export const changed = (history, draft, replace = false) => replace ? { ...history, now: draft } : ({ past: [...history.past, history.now].slice(-STEPS), now: draft, future: [] });

/** @param {History} history @returns {History} */
export const undone = (history) =>
  history.past.length
    ? { past: history.past.slice(0, -1), now: history.past[history.past.length - 1], future: [history.now, ...history.future] }
    : history;

/** @param {History} history @returns {History} */
export const redone = (history) =>
  history.future.length
    ? { past: [...history.past, history.now], now: history.future[0], future: history.future.slice(1) }
    : history;
