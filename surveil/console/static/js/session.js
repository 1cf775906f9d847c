// Who looks, and what they may.

import { createContext, useContext } from "../vendor/preact.js";

/** @typedef {{user: string, role: string, cameras: string[], version: string, languages: string[], first_start: boolean, grafana_url: string, may: string[]}} Me */

export const Session = createContext(/** @type {Me} */ ({}));

/** @returns {Me} */
export const useMe = () => useContext(Session);

/**
 * Whether this user may call an endpoint of the API; what they may not do is not shown.
 * @param {string} endpoint such as `GET /cameras`
 */
export const useMay = (endpoint) => useMe().may.includes(endpoint);

/**
 * The charts of a camera in Grafana; without a moment those of the last hours.
 * @param {string} grafana its address
 * @param {string} camera
 * @param {[number, number]} [range] from and to, Unix s
 */
export function charts(grafana, camera, range) {
  const [from, to] = range ? range.map((epoch) => String(Math.round(epoch * 1000))) : ["now-6h", "now"];
  return `${grafana}/d/surveil-camera?${new URLSearchParams({ "var-camera": camera, "var-pages": location.origin, from, to })}`;
}
