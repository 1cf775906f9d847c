// The frame around the pages: navigation, and which page the address names.

import { html, useEffect, useErrorBoundary, useState } from "../vendor/preact.js";
import { api } from "./api.js";
import { choose, current, t } from "./i18n.js";
import { Session } from "./session.js";
import { Heading, Loading, Problem } from "./ui.js";

/** @type {Record<string, [string, string]>} page: module and component; pages are loaded when they are opened */
const PAGES = {
  live: ["./live/page.js", "LivePage"],
  events: ["./events/page.js", "EventsPage"],
  event: ["./events/detail.js", "EventPage"],
  zones: ["./editor/page.js", "EditorPage"],
  cameras: ["./cameras.js", "CamerasPage"],
  setup: ["./setup/page.js", "SetupPage"],
  camera: ["./setup/camera.js", "CameraSetupPage"],
  health: ["./health.js", "HealthPage"],
  normality: ["./normality.js", "NormalityPage"],
  arming: ["./arming.js", "ArmingPage"],
  books: ["./books.js", "BooksPage"],
  training: ["./training/page.js", "TrainingPage"],
};
/** @type {Record<string, string>} page: the endpoint without which it has nothing to show */
const MENU = {
  live: "GET /live",
  events: "GET /events",
  zones: "GET /cameras/{camera}/shapes",
  cameras: "GET /cameras",
  normality: "GET /cameras/{camera}/normality",
  arming: "GET /arming",
  books: "GET /books",
  training: "GET /training",
};
const MENU_OF = { event: "events", setup: "cameras", camera: "cameras", health: "cameras" };

/**
 * `#/events?camera=yard` → page, parts of the path, query.
 * @param {string} first the page of an address that names none
 */
function readAddress(first) {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...parts] = path.split("/").map(decodeURIComponent);
  return { page: page || first, parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {{me: import("./session.js").Me, onLeave: () => void}} props */
export function Shell({ me, onLeave }) {
  const first = me.first_start && me.may.includes("POST /cameras") ? "setup" : "live";
  const [at, setAt] = useState(() => readAddress(first));
  useEffect(() => {
    const follow = () => setAt(readAddress(first));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const here = MENU_OF[at.page] || at.page;
  // On a phone the menu is wider than the screen.
  useEffect(() => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [here]);
  return html`<${Session.Provider} value=${me}>
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <nav class="bar" aria-label=${t("nav")}>
      <a class="brand" href="#/live">surveil</a>
      <ul>${Object.keys(MENU).filter((name) => me.may.includes(MENU[name])).map((name) => html`<li><a href=${`#/${name}`} aria-current=${name === here ? "page" : null}>
        ${t(`nav.${name}`)}</a></li>`)}</ul>
      <${Account} me=${me} onLeave=${onLeave} />
    </nav>
    <main id="main" tabindex="-1"><${Page} key=${[at.page, ...at.parts].join("/")} at=${at} /></main>
  <//>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Account({ me, onLeave }) {
  const leave = async () => {
    await api.post("logout").catch(() => {});
    onLeave();
  };
  return html`<div class="account">
    <div role="group" aria-label=${t("language")}>${me.languages.map((name) => html`<button class="plain" lang=${name}
      aria-pressed=${name === current()} onClick=${() => choose(name)}>${{ en: "English", zh: "中文" }[name] || name}</button>`)}</div>
    <span class="muted">${me.user}</span>
    ${me.may.includes("POST /logout") && me.user !== "local" && html`<button class="plain" onClick=${leave}>${t("logout")}</button>`}
  </div>`;
}

/** @param {{at: ReturnType<typeof readAddress>}} props */
function Page({ at }) {
  const [component, setComponent] = useState(null);
  const [broken] = useErrorBoundary((error) => console.error(error));
  useEffect(() => {
    const [module, name] = PAGES[at.page] || [];
    if (module) import(module).then((found) => setComponent(() => found[name]));
  }, [at.page]);
  if (!PAGES[at.page]) return html`<${Heading}>${t("page.none")}<//>`;
  if (broken) return html`<${Heading}>${t("page.broken")}<//><${Problem} error=${broken} />`;
  if (!component) return html`<${Loading} />`;
  return html`<${component} parts=${at.parts} query=${at.query} />`;
}
