// Messages, plurals, dates and durations in the language of the page.

/** @typedef {string | Record<string, string>} Message a text, or one per plural category */

const STORED = "surveil.language";

/** @type {Record<string, Message>} */
let messages = {};
let language = "en";
let plurals = new Intl.PluralRules("en");

/** @param {string} preferred the daemon's language @param {string[]} languages those that exist */
export async function load(preferred, languages) {
  const wanted = [localStorage.getItem(STORED), preferred, ...navigator.languages.map((l) => l.slice(0, 2))];
  language = wanted.find((one) => one && languages.includes(one)) || "en";
  plurals = new Intl.PluralRules(language);
  const response = await fetch(new URL(`../i18n/${language}.json`, import.meta.url));
  messages = await response.json();
  document.documentElement.lang = language === "zh" ? "zh-CN" : language;
}

export const current = () => language;

/** @param {string} chosen */
export function choose(chosen) {
  localStorage.setItem(STORED, chosen);
  location.reload();
}

/**
 * @param {string} key
 * @param {Record<string, unknown>} [values] `n` chooses the plural form
 */
export function t(key, values = {}) {
  const message = messages[key];
  if (message === undefined) return key;
  const text = typeof message === "string" ? message : message[plurals.select(Number(values.n))] || message.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

/** @param {unknown} value */
const shown = (value) => (typeof value === "number" ? number(value) : String(value));

/**
 * The name of a value of a closed set, such as a state; itself where no name is known.
 * @param {string} set
 * @param {string} value
 */
export function named(set, value) {
  const message = messages[`${set}.${value}`];
  return typeof message === "string" ? message : value;
}

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(locale(), options).format(value);

/** @param {number} share */
export const percent = (share) => number(share, { style: "percent", maximumFractionDigits: 0 });

const locale = () => document.documentElement.lang;

/**
 * Date and time, in the viewer's time zone.
 * @param {number} epoch seconds
 */
export const moment = (epoch) =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(epoch * 1000);

/**
 * Time of day.
 * @param {number} epoch seconds
 */
export const clock = (epoch) => new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(epoch * 1000);

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/**
 * "3 minutes ago".
 * @param {number} epoch seconds
 */
export function ago(epoch) {
  const seconds = epoch - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

/**
 * "4.2 s", "3 min".
 * @param {number} seconds
 */
export function duration(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) || UNITS[3];
  return number(seconds / size, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: seconds < 10 ? 1 : 0 });
}
