// Where a camera's video comes from, and what a look at it finds.

import { html, useEffect, useState } from "../../vendor/preact.js";
import { address, api, path } from "../api.js";
import { duration, named, number, t } from "../i18n.js";
import { Badge, Field, Picture, Problem, Status, useApi, useChange } from "../ui.js";

/** @typedef {{url: string, record_url: string, user: string, password: string}} Given */

/** @returns {Given} */
export const nothing = () => ({ url: "", record_url: "", user: "", password: "" });

const FACTS = /** @type {const} */ ({
  codec: (found) => [found.codec, found.profile].filter(Boolean).join(" "),
  size: (found) => found.width && `${found.width} × ${found.height}`,
  fps: (found) => found.fps && number(found.fps, { maximumFractionDigits: 1 }),
  gop: (found) => (found.gop_s ? duration(found.gop_s) : found.gop_longer_than_s && `> ${duration(found.gop_longer_than_s)}`),
  rate: (found) => found.bits_per_second && `${number(found.bits_per_second / 1e6, { maximumFractionDigits: 1 })} Mbit/s`,
  first: (found) => found.first_picture_s && duration(found.first_picture_s),
  transport: (found) => found.transport,
});

/**
 * The fields of an address. The password is never shown again.
 * @param {{given: Given, onChange: (given: Given) => void, needed: boolean}} props
 */
export function AddressFields({ given, onChange, needed }) {
  const input = (name, more) => html`<${Field} label=${t(`setup.${name}`)} hint=${more.hint}>
    <input name=${name} value=${given[name]} autocomplete="off" spellcheck="false" required=${more.required} type=${more.type || "text"}
      onInput=${(event) => onChange({ ...given, [name]: event.currentTarget.value })} /><//>`;
  return html`${input("url", { required: needed, hint: t("setup.url.hint") })}
    ${input("user", {})}${input("password", { type: "password" })}
    <details><summary>${t("setup.more")}</summary>${input("record_url", { hint: t("setup.record_url.hint") })}</details>`;
}

/**
 * A button that probes what is given, and what was found.
 * @param {{given: Given, camera?: string, onFound?: (works: boolean) => void}} props camera: one that is configured
 */
export function Probing({ given, camera = "", onFound }) {
  const [probe, setProbe] = useState("");
  const { busy, error, run } = useChange();
  const start = () => run(async () => setProbe((await api.post("probe", { camera, ...given })).probe));
  useEffect(() => {
    setProbe("");
    onFound?.(false);
  }, [JSON.stringify(given)]);
  return html`<div class="row"><button type="button" disabled=${busy || !(given.url || camera)} onClick=${start}>${t("probe.start")}</button></div>
    <${Problem} error=${error} />
    ${probe && html`<${Result} key=${probe} probe=${probe} onFound=${onFound} />`}`;
}

function Result({ probe, onFound }) {
  const [done, setDone] = useState(false);
  const { data, error } = useApi(`probe/${path(probe)}`, { everyS: done ? 0 : 1 });
  useEffect(() => {
    if (!data?.done) return;
    setDone(true);
    onFound?.(works(data.detect));
  }, [data?.done]);
  return html`<${Problem} error=${error} />
    <${Status}>${!data?.done ? t("probe.running") : works(data.detect) ? t("probe.works") : t("probe.fails")}<//>
    ${data && !data.done && html`<progress aria-label=${t("probe.running")} max=${data.limit_s} value=${data.elapsed_s}></progress>`}
    ${data?.done && html`<${Found} probe=${probe} found=${data} />`}`;
}

/** Whether a stream showed a picture. */
const works = (stream) => Boolean(stream?.ok && stream.pictures);

function Found({ probe, found }) {
  return html`${found.failure && html`<p class="notice bad">${found.failure}</p>`}
    ${found.picture && html`<${Picture} class="picture probed" src=${address(`probe/${path(probe)}/picture.jpg`)} alt=${t("probe.picture")} />`}
    <${Stream} title=${t("probe.detect")} stream=${found.detect} />
    <${Stream} title=${t("probe.record")} stream=${found.record} />
    ${found.advice.length > 0 && html`<h2>${t("probe.advice")}</h2><ul class="advice">${found.advice.map((one) => html`<li key=${one.text}>
      <strong>${named("advice", one.code)}</strong> <span lang="en">${one.text}</span></li>`)}</ul>`}`;
}

function Stream({ title, stream }) {
  if (!stream) return null;
  const rows = Object.entries(FACTS).map(([name, of]) => [name, of(stream)]).filter(([, value]) => value);
  return html`<section><h2>${title} <${Badge} kind=${works(stream) ? "good" : "bad"}>
      ${works(stream) ? t("probe.good") : named("cause", stream.cause || "no_video")}<//></h2>
    ${stream.message && html`<p class="notice bad" lang="en">${stream.message}</p>`}
    <dl class="facts">${rows.map(([name, value]) => html`<dt>${t(`probe.${name}`)}</dt><dd>${value}</dd>`)}</dl></section>`;
}
