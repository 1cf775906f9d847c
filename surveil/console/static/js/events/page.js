// The list of events: it keeps itself up to date, is filtered, and judged by keys.

import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { api } from "../api.js";
import { ago, duration, moment, named, percent, t } from "../i18n.js";
import { Badge, Field, Heading, Loading, Picture, Problem, Select, Status, useApi, useChange } from "../ui.js";
import { useMay } from "../session.js";
import { acknowledge, actionOf, judge, Verdict } from "./judge.js";

const PAGE = 25;
const NEWEST_S = 4;
const FILTERS = ["camera", "rule", "class", "from", "to", "judged"];

/** @param {{query: Record<string, string>}} props */
export function EventsPage({ query }) {
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query[name] || ""]));
  return html`<${Heading}>${t("nav.events")}<//>
    <${Filters} filter=${filter} />
    <${List} key=${JSON.stringify(filter)} filter=${filter} />`;
}

/** Set the filter in the address, so that it can be kept and sent. */
function go(filter) {
  const set = Object.entries(filter).filter(([, value]) => value);
  location.hash = `#/events?${new URLSearchParams(set)}`;
}

/** Seconds since 1970 ↔ what an input of date and time holds, in local time. */
const toInput = (epoch) => {
  if (!epoch) return "";
  const date = new Date(Number(epoch) * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const fromInput = (text) => (text ? String(new Date(text).getTime() / 1000) : "");

function Filters({ filter }) {
  const { data } = useApi("cameras");
  const set = (name) => (value) => go({ ...filter, [name]: value });
  const text = (name) => html`<${Field} label=${t(`filter.${name}`)}>
    <input value=${filter[name]} onChange=${(e) => set(name)(e.currentTarget.value.trim())} /><//>`;
  const time = (name) => html`<${Field} label=${t(`filter.${name}`)}>
    <input type="datetime-local" value=${toInput(filter[name])} onChange=${(e) => set(name)(fromInput(e.currentTarget.value))} /><//>`;
  const cameras = (data?.cameras || []).map((one) => [one.id, one.title || one.id]);
  return html`<form class="filters" aria-label=${t("filter")} onSubmit=${(e) => e.preventDefault()}>
    <${Field} label=${t("filter.camera")}><${Select} value=${filter.camera} onChange=${set("camera")}
      options=${[["", t("filter.all")], ...cameras]} /><//>
    ${text("rule")}${text("class")}${time("from")}${time("to")}
    <${Field} label=${t("filter.judged")}><${Select} value=${filter.judged} onChange=${set("judged")}
      options=${["", "yes", "no"].map((value) => [value, t(`filter.judged.${value || "any"}`)])} /><//>
    <button type="button" onClick=${() => go({})}>${t("filter.reset")}</button>
  </form>`;
}

/** The newest page, asked for again and again, and older pages as they were asked for. */
function usePages(filter) {
  const newest = useApi("events", { query: { ...filter, limit: PAGE }, everyS: NEWEST_S });
  const [older, setOlder] = useState(/** @type {{events: any[], next: string | null | undefined}} */ ({ events: [], next: undefined }));
  const [known, setKnown] = useState([]);
  useEffect(() => {
    // What leaves the newest page because something newer came stays in the list.
    if (newest.data) setKnown((old) => joined(newest.data.events, old));
  }, [newest.data]);
  const cursor = older.next === undefined ? newest.data?.next : older.next;
  const more = async () => {
    const page = await api.get("events", { ...filter, limit: PAGE, cursor });
    setOlder((old) => ({ events: joined(old.events, page.events), next: page.next }));
  };
  const replace = (event) => {
    const swap = (list) => list.map((one) => (one.id === event.id ? event : one));
    setKnown(swap);
    setOlder((old) => ({ ...old, events: swap(old.events) }));
  };
  return { events: joined(known, older.events), loaded: Boolean(newest.data), error: newest.error, cursor, more, replace };
}

/** Two lists without doubles: of each event the version of the first. */
function joined(first, second) {
  const ids = new Set(first.map((one) => one.id));
  return [...first, ...second.filter((one) => !ids.has(one.id))];
}

function List({ filter }) {
  const { events, loaded, error, cursor, more, replace } = usePages(filter);
  const { busy, error: refused, run } = useChange();
  const may = useMay("PUT /events/{event}/verdict");
  const [said, say] = useState("");
  const list = useRef(null);
  const act = (event, action) => run(async () => {
    const answer = await action(event);
    const now = answer.id ? answer : await api.get(`events/${encodeURIComponent(event.id)}`);
    replace(now);
    say(now.verdict ? t("verdict.said", { verdict: t(`verdict.${now.verdict}`) }) : t("saved"));
  });
  const onKeyDown = (pressed) => {
    const row = pressed.target.closest("li");
    const rows = [...list.current.children];
    const index = rows.indexOf(row);
    if (index < 0) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[pressed.key];
    const action = may && actionOf(pressed);
    if (step) rows[index + step]?.querySelector("a").focus();
    else if (action) act(events[index], action);
    else return;
    pressed.preventDefault();
  };
  return html`<${Problem} error=${error || refused} /><${Status}>${said}<//>
    ${!loaded && !error && html`<${Loading} />`}
    ${loaded && !events.length && html`<p>${t("events.none")}</p>`}
    ${events.length > 0 && html`<p class="muted">${t("events.shown", { n: events.length })} ${may ? t("events.keys") : ""}</p>`}
    <ul class="events" ref=${list} onKeyDown=${onKeyDown}>${events.map((event) => html`<${Row} key=${event.id} event=${event}
      busy=${busy} may=${may} act=${act} />`)}</ul>
    ${cursor && html`<button onClick=${() => run(more)} disabled=${busy}>${t("events.more")}</button>`}`;
}

function Row({ event, busy, may, act }) {
  const title = named("rule", event.rule_title || event.rule);
  return html`<li class=${`card ${event.end === null ? "open" : ""}`} data-event=${event.id}>
    ${event.pictures.annotated ? html`<${Picture} src=${event.pictures.annotated} alt="" />` : html`<div class="picture gone"></div>`}
    <div>
      <h2><a href=${`#/event/${encodeURIComponent(event.id)}`}>${event.camera_title || event.camera}: ${title}</a></h2>
      <p>${event.reason}</p>
      <p class="muted"><time datetime=${new Date(event.start * 1000).toISOString()} title=${moment(event.start)}>${ago(event.start)}</time>
        ${event.label && html` · ${named("class", event.label)} ${percent(event.score)}`}
        ${event.end !== null && event.end > event.start && html` · ${duration(event.end - event.start)}`}
        ${event.end === null && html` <${Badge} kind="bad">${t("event.open")}<//>`}
        ${event.verdict && html` <${Badge} kind=${event.verdict}>${t(`verdict.${event.verdict}`)}<//>`}</p>
      ${may && html`<${Verdict} event=${event} busy=${busy} onJudge=${(verdict) => act(event, () => judge(event, verdict))}
        onAcknowledge=${() => act(event, acknowledge)} />`}
    </div>
  </li>`;
}
