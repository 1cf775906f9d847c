// Parts that every page uses.

import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { api } from "./api.js";
import { t } from "./i18n.js";

/**
 * What a path of the API answers.
 * @param {string | null} path null: nothing is asked
 * @param {{query?: Record<string, unknown>, everyS?: number}} options asked again every `everyS` while the page is seen
 */
export function useApi(path, { query = {}, everyS = 0 } = {}) {
  const [state, setState] = useState(/** @type {{data: any, error: any, key: string}} */ ({ data: null, error: null, key: "" }));
  const [round, setRound] = useState(0);
  const key = JSON.stringify([path, query]);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        if (!document.hidden || round === 0) {
          const data = await api.get(path, query, abort.signal);
          setState({ data, error: null, key });
        }
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((old) => ({ data: old.key === key ? old.data : null, error, key }));
      }
      if (everyS && !abort.signal.aborted) timer = setTimeout(ask, everyS * 1000);
    };
    ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, everyS, round]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  const fresh = state.key === key;
  return { data: fresh ? state.data : null, error: fresh ? state.error : null, reload };
}

/** Run a change; while it runs nothing is run twice, and what it refuses is shown. */
export function useChange() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async (change) => {
    if (busy) return false;
    setBusy(true);
    setError(null);
    try {
      await change();
      return true;
    } catch (problem) {
      setError(problem);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run };
}

/** @param {{error: import("./api.js").ApiError | null}} props */
export function Problem({ error }) {
  if (!error) return null;
  const text = error.status === 0 ? t("error.unreachable") : error.status === 403 ? t("error.forbidden") : error.message;
  return html`<div class="notice bad" role="alert">
    <p>${text}</p>
    ${error.remedy && html`<p>${error.remedy}</p>`}
    ${error.fields?.length > 0 && html`<ul>
      ${error.fields.map((field) => html`<li><code>${field.path}</code> ${field.message}</li>`)}
    </ul>`}
  </div>`;
}

/** A page's heading, which takes the focus when the page is opened, so that a screen reader says where it is. */
export function Heading({ children, actions }) {
  const element = useRef(null);
  useEffect(() => {
    document.title = `${element.current.textContent} · surveil`;
    element.current.focus({ preventScroll: true });
  }, []);
  return html`<header class="heading"><h1 tabindex="-1" ref=${element}>${children}</h1><div class="row">${actions}</div></header>`;
}

/**
 * A labelled control.
 * @param {{label: string, hint?: string, error?: string, children: unknown}} props
 */
export function Field({ label, hint, error, children }) {
  return html`<label class="field"><span>${label}</span>${children}
    ${hint && html`<small>${hint}</small>`}${error && html`<small class="bad" role="alert">${error}</small>`}</label>`;
}

/** @param {{value: string, options: [string, string][], onChange: (value: string) => void}} props */
export function Select({ value, options, onChange, ...rest }) {
  return html`<select value=${value} onChange=${(event) => onChange(event.currentTarget.value)} ...${rest}>
    ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
  </select>`;
}

/** Text that a screen reader says when it changes. */
export const Status = ({ children }) => html`<p class="status" role="status">${children}</p>`;

export const Loading = () => html`<p class="muted" role="status">${t("loading")}</p>`;

export const Badge = ({ kind, children }) => html`<span class=${`badge ${kind || ""}`}>${children}</span>`;

/**
 * A picture that keeps its place when it cannot be had.
 * @param {{src: string, alt: string}} props
 */
export function Picture({ src, alt, ...rest }) {
  const [gone, setGone] = useState("");
  if (gone === src) return html`<div class="picture gone">${t("picture.gone")}</div>`;
  return html`<img class="picture" src=${src} alt=${alt} loading="lazy" onError=${() => setGone(src)} ...${rest} />`;
}

/**
 * Whether a key belongs to what is typed into a control.
 * @param {KeyboardEvent} event
 */
export const isTyping = (event) => event.target instanceof Element && event.target.matches("input, select, textarea");
