// Before anybody is known: the login, or the first administrator with the code of the log.

import { html, useState } from "../vendor/preact.js";
import { api } from "./api.js";
import { t } from "./i18n.js";
import { Field, Problem, useChange } from "./ui.js";

/** @param {{first: boolean, onDone: () => void}} props first: there is no user yet */
export function Login({ first, onDone }) {
  const [given, setGiven] = useState({ code: "", user: "", password: "" });
  const { busy, error, run } = useChange();
  const submit = async (event) => {
    event.preventDefault();
    const { code, ...login } = given;
    const done = await run(() => (first ? api.post("first-visit", given) : api.post("login", login)));
    if (done) onDone();
  };
  const input = (name, more) => html`<${Field} label=${t(`login.${name}`)}>
    <input name=${name} required value=${given[name]} ...${more}
      onInput=${(e) => setGiven({ ...given, [name]: e.currentTarget.value })} /><//>`;
  return html`<main class="alone"><h1>surveil</h1><form class="card form" onSubmit=${submit}>
    ${first && html`<p>${t("login.first")}</p>`}
    <${Problem} error=${error?.code === "password" ? { ...error, message: t("login.refused"), remedy: "" } : error} />
    ${first && input("code", { autocomplete: "one-time-code" })}
    ${input("user", { autocomplete: "username" })}
    ${input("password", { type: "password", autocomplete: first ? "new-password" : "current-password" })}
    <button class="main" disabled=${busy}>${t(first ? "login.add" : "login.enter")}</button>
  </form></main>`;
}
