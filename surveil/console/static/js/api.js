// Requests to the daemon. Every answer is JSON; every failure is an ApiError.

const BASE = new URL("/api/v1/", location.href);

let csrf = "";
let language = "";

/**
 * Ask for texts of alerts in this language from now on; until then in those of the browser.
 * @param {string} chosen
 */
export const ask = (chosen) => {
  language = chosen;
};

/** What the daemon refused, with its remedy and, for forms, the fields. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: the daemon cannot be reached
   * @param {{code?: string, message?: string, remedy?: string, fields?: {path: string, line?: number, message: string}[]}} error
   */
  constructor(status, error) {
    super(error.message || error.code || String(status));
    this.status = status;
    this.code = error.code || "";
    this.remedy = error.remedy || "";
    this.fields = error.fields || [];
  }
}

/** @param {string} path below /api/v1/ @param {Record<string, unknown>} [query] empty values are left out */
export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/**
 * Join the parts of a path, each escaped.
 * @param {...(string | number)} parts
 */
export const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");

/**
 * @param {string} method
 * @param {string} url
 * @param {{body?: unknown, etag?: string, signal?: AbortSignal}} options
 * @returns {Promise<Response>} a response that is good
 */
export async function request(method, url, { body, etag, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", ...(language && { "accept-language": language }) };
  if (method !== "GET") headers["x-csrf-token"] = csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (etag) headers["if-match"] = etag;
  let response;
  try {
    response = await fetch(url, {
      method, headers, signal, credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { code: "unreachable" });
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(response.status, answer.error || {});
}

/** @param {Response} response */
async function json(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

export const api = {
  /** @param {string} path @param {Record<string, unknown>} [query] @param {AbortSignal} [signal] */
  get: async (path, query, signal) => json(await request("GET", address(path, query), { signal })),
  /** @param {string} path @param {unknown} [body] */
  post: async (path, body = {}) => json(await request("POST", address(path), { body })),
  /** @param {string} path @param {unknown} body @param {string} [etag] */
  put: async (path, body, etag) => json(await request("PUT", address(path), { body, etag })),
  /** @param {string} path @param {string} [etag] */
  remove: async (path, etag) => json(await request("DELETE", address(path), { etag })),
  /** Who looks, and the token that changes carry from now on. */
  async me() {
    const me = await api.get("me");
    csrf = me.csrf || "";
    return me;
  },
};
