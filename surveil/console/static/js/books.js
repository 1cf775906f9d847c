// What became of every signal and of every delivery, and the alerts that a sink did not take.

import { html, useState } from "../vendor/preact.js";
import { api, path } from "./api.js";
import { moment, named, number, t } from "./i18n.js";
import { Heading, Loading, Problem, Status, useApi, useChange } from "./ui.js";
import { useMay } from "./session.js";

const STATES = ["pending", "delivered", "dead"];

export function BooksPage() {
  const { data, error } = useApi("books", { everyS: 5 });
  const letters = useMay("GET /dead-letters");
  return html`<${Heading}>${t("nav.books")}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Deliveries} deliveries=${data.deliveries} sinks=${data.sinks} />`}
    ${letters && html`<${DeadLetters} />`}
    ${data && html`<${Signals} signals=${data.signals} />`}`;
}

/** A table that a narrow screen scrolls, and the keyboard too. */
const Table = ({ title, head, children }) => html`<section class="card"><h2>${title}</h2>
  <div class="scroll" tabindex="0" role="region" aria-label=${title}><table>
    <thead><tr>${head.map((text) => html`<th scope="col">${text}</th>`)}</tr></thead><tbody>${children}</tbody></table></div></section>`;

function Deliveries({ deliveries, sinks }) {
  const may = useMay("POST /sinks/{sink}/test");
  const { busy, error, run } = useChange();
  const [said, say] = useState({ ok: true, text: "" });
  const test = (sink) => run(async () => {
    const { ok, text } = await api.post(`sinks/${path(sink)}/test`);
    say({ ok, text: t(ok ? "sink.works" : "sink.fails", { sink, text }) });
  });
  const head = [t("books.sink"), ...STATES.map((state) => t(`books.${state}`)), ...(may ? [t("sink.test")] : [])];
  const names = [...new Set([...Object.keys(sinks), ...Object.keys(deliveries)])];
  return html`<${Problem} error=${error} /><p class=${`status ${said.ok ? "" : "bad"}`} role="status">${said.text}</p>
    <${Table} title=${t("books.deliveries")} head=${head}>${names.map((sink) => html`<tr key=${sink}>
      <th scope="row">${sink} <span class="muted">${sinks[sink]}</span></th>
      ${STATES.map((state) => html`<td>${number(deliveries[sink]?.[state] || 0)}</td>`)}
      ${may && html`<td>${sinks[sink] && html`<button disabled=${busy} onClick=${() => test(sink)} aria-label=${t("sink.test.of", { sink })}>${t("sink.test")}</button>`}</td>`}</tr>`)}<//>`;
}

function Signals({ signals }) {
  const head = ["camera", "rule", "outcome", "reason", "count"].map((name) => t(`books.${name}`));
  return html`<${Table} title=${t("books.signals")} head=${head}>
    ${signals.map((line) => html`<tr><td>${line.camera}</td><td>${named("rule", line.rule)}</td><td>${named("outcome", line.outcome)}</td>
      <td>${named("reason", line.reason)}</td><td>${number(line.n)}</td></tr>`)}<//>`;
}

function DeadLetters() {
  const { data, error, reload } = useApi("dead-letters", { everyS: 10 });
  const { busy, error: refused, run } = useChange();
  const [said, say] = useState("");
  const may = useMay("POST /dead-letters/{letter}/retry");
  const retry = async (letter) => {
    await run(async () => say(t("books.retried", { n: (await api.post(`dead-letters/${path(letter.id)}/retry`)).retried })));
    reload();
  };
  const head = ["time", "camera", "rule", "sink", "error"].map((name) => t(`books.${name}`));
  return html`<${Problem} error=${error || refused} /><${Status}>${said}<//>
    ${data?.letters.length > 0 && html`<${Table} title=${t("books.letters")} head=${[...head, t("books.retry")]}>
      ${data.letters.map((letter) => html`<tr key=${`${letter.id} ${letter.sink}`}><td>${moment(letter.at)}</td><td>${letter.camera}</td>
        <td>${named("rule", letter.rule)}</td><td>${letter.sink}</td><td>${letter.error || letter.reason}</td>
        <td>${may && html`<button disabled=${busy} onClick=${() => retry(letter)}>${t("books.retry")}</button>`}</td></tr>`)}<//>`}
    ${data?.letters.length === 0 && html`<p class="muted">${t("books.none")}</p>`}`;
}
