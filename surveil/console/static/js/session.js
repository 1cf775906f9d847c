// Who looks, and what they may.

import { createContext, useContext } from "../vendor/preact.js";

const RANKS = ["viewer", "operator", "admin"];

/** @typedef {{user: string, role: string, cameras: string[], version: string, languages: string[], first_start: boolean}} Me */

export const Session = createContext(/** @type {Me} */ ({}));

/** @returns {Me} */
export const useMe = () => useContext(Session);

/**
 * Whether the role of this user includes another.
 * @param {string} role
 */
export const useMay = (role) => RANKS.indexOf(useMe().role) >= RANKS.indexOf(role);
