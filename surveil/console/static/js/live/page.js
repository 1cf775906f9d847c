import { html, useEffect, useState } from "../../vendor/preact.js";
import { api, path } from "../api.js";
import { t } from "../i18n.js";
import { Heading, Loading, Problem, Status, useApi } from "../ui.js";
import { useMay } from "../session.js";
import { useFeed } from "./feed.js";
import { Tile } from "./tile.js";

/**
 * All cameras, or the one that the address names.
 * @param {{parts: string[]}} props
 */
export function LivePage({ parts: [only] }) {
  const { data, error } = useApi("cameras", { everyS: 10 });
  const cameras = (data?.cameras || []).filter((camera) => camera.state !== "disabled" && (!only || camera.id === only));
  const title = only ? cameras[0]?.title || only : t("nav.live");
  return html`<${Heading} actions=${only && html`<${Actions} id=${only} />`}>${title}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data && !cameras.length && html`<${Nothing} only=${only} />`}
    ${cameras.length > 0 && html`<${Grid} cameras=${cameras} alone=${Boolean(only)} />`}`;
}

function Actions({ id }) {
  const name = encodeURIComponent(id);
  const zones = useMay("GET /cameras/{camera}/shapes");
  return html`<a class="button" href=${`#/events?camera=${name}`}>${t("nav.events")}</a>
    ${zones && html`<a class="button" href=${`#/zones/${name}`}>${t("nav.zones")}</a>`}
    <a class="button" href="#/live">${t("live.all")}</a>`;
}

function Nothing({ only }) {
  const adds = useMay("POST /cameras");
  return html`<p>${only ? t("live.unknown", { camera: only }) : t("live.none")}</p>
    ${adds && !only && html`<a class="button main" href="#/setup">${t("setup")}</a>`}`;
}

function Grid({ cameras, alone }) {
  const { feed, connected } = useFeed(cameras);
  const shapes = useShapes(cameras);
  return html`<${Status}>${connected === false ? t("live.reconnecting") : ""}<//>
    <div class=${`grid ${alone ? "alone" : ""}`}>
      ${cameras.map((camera) => html`<${Tile} key=${camera.id} camera=${camera} view=${feed.views.get(camera.id)}
        shapes=${shapes[camera.id]} alone=${alone} />`)}
    </div>`;
}

/** Zones and lines of the cameras, asked for one after another: the picture goes first. */
function useShapes(cameras) {
  const [shapes, setShapes] = useState(/** @type {Record<string, any>} */ ({}));
  const may = useMay("GET /cameras/{camera}/shapes");
  const key = may ? cameras.map((camera) => camera.id).join(",") : "";
  useEffect(() => {
    const abort = new AbortController();
    (async () => {
      for (const id of key.split(",").filter(Boolean)) {
        const found = await api.get(`cameras/${path(id)}/shapes`, {}, abort.signal).catch(() => null);
        if (abort.signal.aborted) return;
        setShapes((old) => ({ ...old, [id]: found }));
      }
    })();
    return () => abort.abort();
  }, [key]);
  return shapes;
}
