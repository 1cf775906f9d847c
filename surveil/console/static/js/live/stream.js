// The one connection of a page: pictures, tracks, events and states of all its cameras.
//
// A message is two lengths (uint32, big-endian), a JSON header and a payload.

import { address, request } from "../api.js";

const LONGEST_HEADER = 1 << 20;
const LONGEST_PAYLOAD = 1 << 26;
const PATIENCE_MS = 20_000; // the daemon pings; a connection that says nothing is dead
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** Cuts a stream of bytes into messages. */
export class Cutter {
  /** @type {Uint8Array[]} */
  #chunks = [];
  #size = 0;

  /** @param {Uint8Array} chunk @returns {{header: any, payload: Uint8Array}[]} what is complete by now */
  push(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const found = [];
    for (let message = this.#next(); message; message = this.#next()) found.push(message);
    return found;
  }

  #next() {
    if (this.#size < 8) return null;
    const whole = this.#whole();
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    const head = view.getUint32(0);
    const body = view.getUint32(4);
    if (head > LONGEST_HEADER || body > LONGEST_PAYLOAD) throw new Error("the stream is out of step");
    const end = 8 + head + body;
    if (this.#size < end) return null;
    const header = JSON.parse(new TextDecoder().decode(whole.subarray(8, 8 + head)));
    this.#chunks = [whole.subarray(end)];
    this.#size -= end;
    return { header, payload: whole.slice(8 + head, end) };
  }

  /** The bytes that wait, in one piece. */
  #whole() {
    if (this.#chunks.length > 1) {
      const whole = new Uint8Array(this.#size);
      let at = 0;
      for (const chunk of this.#chunks) {
        whole.set(chunk, at);
        at += chunk.length;
      }
      this.#chunks = [whole];
    }
    return this.#chunks[0];
  }
}

/**
 * Keep a connection until `signal` aborts; while the page is hidden there is none.
 * @param {() => Record<string, string>} query asked for at each connection
 * @param {(header: any, payload: Uint8Array) => void} onMessage
 * @param {(connected: boolean, error?: Error) => void} onState
 * @param {AbortSignal} signal
 */
export async function follow(query, onMessage, onState, signal) {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    await seen(signal);
    if (signal.aborted) return;
    const abort = new AbortController();
    const stop = () => abort.abort();
    const hide = () => document.hidden && stop();
    signal.addEventListener("abort", stop);
    document.addEventListener("visibilitychange", hide);
    try {
      const response = await request("GET", address("live", query()), { signal: abort.signal });
      onState(true);
      await readAll(response, abort, (header, payload) => {
        pause = FIRST_PAUSE_MS;
        onMessage(header, payload);
      });
      onState(false);
    } catch (error) {
      if (!signal.aborted) onState(false, abort.signal.aborted ? undefined : error);
    } finally {
      signal.removeEventListener("abort", stop);
      document.removeEventListener("visibilitychange", hide);
      abort.abort();
    }
    await rest(pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

async function readAll(response, abort, onMessage) {
  const cutter = new Cutter();
  const reader = response.body.getReader();
  for (;;) {
    const timer = setTimeout(() => abort.abort(), PATIENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    for (const { header, payload } of cutter.push(value)) onMessage(header, payload);
  }
}

/**
 * Wait until the page is seen.
 * @param {AbortSignal} signal
 */
const seen = (signal) =>
  new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve(undefined);
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve(undefined);
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });

/** @param {number} ms @param {AbortSignal} signal */
const rest = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)));
  });
