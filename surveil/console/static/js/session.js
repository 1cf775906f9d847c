// Who looks, and what they may.

import { createContext, useContext } from "../vendor/preact.js";

/** @typedef {{user: string, role: string, cameras: string[], version: string, languages: string[], first_start: boolean, may: string[]}} Me */

export const Session = createContext(/** @type {Me} */ ({}));

/** @returns {Me} */
export const useMe = () => useContext(Session);

/**
 * Whether this user may call an endpoint of the API; what they may not do is not shown.
 * @param {string} endpoint such as `GET /cameras`
 */
export const useMay = (endpoint) => useMe().may.includes(endpoint);
