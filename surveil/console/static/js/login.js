import { html, useState } from "../vendor/preact.js";
import { api } from "./api.js";
import { t } from "./i18n.js";
import { Field, Problem, useChange } from "./ui.js";

/** @param {{onDone: () => void}} props */
export function Login({ onDone }) {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, run } = useChange();
  const submit = async (event) => {
    event.preventDefault();
    if (await run(() => api.post("login", { user, password }))) onDone();
  };
  const text = error && error.status === 401 ? { message: t("login.refused"), status: 401 } : error;
  return html`<main class="alone"><h1>surveil</h1><form class="card" onSubmit=${submit}>
    <${Problem} error=${text} />
    <${Field} label=${t("login.user")}>
      <input name="user" autocomplete="username" required value=${user} onInput=${(e) => setUser(e.currentTarget.value)} /><//>
    <${Field} label=${t("login.password")}>
      <input name="password" type="password" autocomplete="current-password" required value=${password}
        onInput=${(e) => setPassword(e.currentTarget.value)} /><//>
    <button class="main" disabled=${busy}>${t("login.enter")}</button>
  </form></main>`;
}
