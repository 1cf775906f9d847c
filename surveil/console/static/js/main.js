// Start: who looks, in which language; then the page that the address names.

import { html, render, useEffect, useState } from "../vendor/preact.js";
import { api, ask } from "./api.js";
import { current, load, t } from "./i18n.js";
import { Problem } from "./ui.js";
import { Login } from "./login.js";
import { Shell } from "./shell.js";

const NOBODY = { user: "", role: "", cameras: [], languages: ["en", "zh"], language: "", first_start: false, grafana_url: "" };

function Root() {
  const [start, setStart] = useState(/** @type {{me: any, error: any, ready: boolean}} */ ({ me: null, error: null, ready: false }));
  const begin = async () => {
    const [me, error] = await api.me().then((found) => [found, null], (problem) => [null, problem]);
    const { language, languages } = me || NOBODY;
    await load(language, languages?.length ? languages : NOBODY.languages);
    ask(current());
    setStart({ me, error, ready: true });
  };
  useEffect(() => void begin(), []);
  if (!start.ready) return null;
  if (start.me) return html`<${Shell} me=${start.me} onLeave=${begin} />`;
  if (start.error?.status === 401) return html`<${Login} first=${start.error.code === "first_visit"} onDone=${begin} />`;
  return html`<main class="alone"><h1>surveil</h1><${Problem} error=${start.error} />
    <button onClick=${begin}>${t("again")}</button></main>`;
}

render(html`<${Root} />`, document.getElementById("app"));
