// What is known of one camera while it is looked at: its pictures, tracks, open events and state.

import { Player } from "./player.js";

const REMEMBERED_S = 15;
const STALE_S = 0.6; // tracks older than this beside the picture say nothing of it
const AHEAD_S = 0.05; // stamps of pictures and of tracks are rounded

/** @type {{at: number, tracks: Track[]}} */
const NOTHING = { at: -Infinity, tracks: [] };

/** @typedef {{id: number | string, label: string, score: number, box: number[], believed: boolean}} Track */

export class View {
  /** @type {"" | "mp4" | "jpeg"} */
  mode = "";
  why = "";
  state = "";
  cause = "";
  /** @type {{mode: string, why: string} | null} */
  decode = null;
  dropped = 0;
  /** @type {Map<string, any>} */
  events = new Map();
  /** Capture time of the picture that is shown; 0: none yet. */
  shownAt = 0;
  /** Seconds between the last two still pictures; 0: not known. */
  gapS = 0;
  /** @type {{at: number, tracks: Track[]}[]} */
  #tracks = [];
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Player | null} */
  #player = null;
  /** @type {HTMLCanvasElement | null} */
  #canvas = null;
  /** @type {{mime: string, payload: Uint8Array} | null} */
  #header = null;
  #onBroken;
  #drawing = false;

  /** @param {(why: string) => void} onBroken this browser cannot play the camera */
  constructor(onBroken) {
    this.#onBroken = onBroken;
  }

  /** @param {() => void} listener @returns {() => void} ends it */
  listen(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  /** @param {HTMLVideoElement} video @returns {() => void} ends it */
  showIn(video) {
    const player = new Player(video, this.#onBroken);
    this.#player = player;
    if (this.#header) player.begin(this.#header.mime, this.#header.payload);
    let handle = 0;
    const shown = (_now, { mediaTime }) => {
      this.shownAt = player.captured(mediaTime);
      this.#tell();
      handle = video.requestVideoFrameCallback(shown);
    };
    handle = video.requestVideoFrameCallback(shown);
    return () => {
      video.cancelVideoFrameCallback(handle);
      player.close();
      if (this.#player === player) this.#player = null;
    };
  }

  /** @param {HTMLCanvasElement} canvas @returns {() => void} ends it */
  drawOn(canvas) {
    this.#canvas = canvas;
    return () => {
      if (this.#canvas === canvas) this.#canvas = null;
    };
  }

  /**
   * The tracks of the picture that is shown.
   * @returns {Track[]}
   */
  tracks() {
    const until = this.shownAt + AHEAD_S;
    let latest = NOTHING;
    for (const one of this.#tracks) if (one.at <= until) latest = one;
    return this.shownAt - latest.at < STALE_S ? latest.tracks : [];
  }

  /** @param {any} header @param {Uint8Array} payload */
  take(header, payload) {
    switch (header.type) {
      case "init":
        this.#header = { mime: header.mime, payload };
        this.#player?.begin(header.mime, payload);
        return;
      case "media":
        this.#player?.add(header, payload);
        return;
      case "jpeg":
        void this.#draw(header.at, payload);
        return;
      case "tracks":
        this.#tracks.push({ at: header.at, tracks: header.tracks });
        while (this.#tracks[0].at < header.at - REMEMBERED_S) this.#tracks.shift();
        break;
      case "event":
        if (header.phase === "end") this.events.delete(header.event.id);
        else this.events.set(header.event.id, header.event);
        break;
      case "state":
        this.state = header.state;
        this.cause = header.cause || "";
        this.decode = header.decode || null;
        break;
      case "dropped":
        this.dropped += header.n;
        this.#player?.gap();
        break;
      default:
        return;
    }
    this.#tell();
  }

  /** A connection begins: what is open is told again. */
  begin() {
    this.events.clear();
    this.#tracks = [];
  }

  /**
   * Pictures or video come from here on.
   * @param {{mode: "mp4" | "jpeg", why?: string}} hello
   */
  open(hello) {
    if (hello.mode !== this.mode) this.shownAt = this.gapS = 0;
    this.mode = hello.mode;
    this.why = hello.why || "";
    this.#header = null;
    this.#tell();
  }

  /** @param {number} at @param {Uint8Array} jpeg */
  async #draw(at, jpeg) {
    if (this.#drawing) return; // the next one is newer
    this.#drawing = true;
    try {
      const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      const canvas = this.#canvas;
      if (canvas) {
        if (canvas.width !== picture.width) canvas.width = picture.width;
        if (canvas.height !== picture.height) canvas.height = picture.height;
        canvas.getContext("2d")?.drawImage(picture, 0, 0);
        this.gapS = this.shownAt && at - this.shownAt;
        this.shownAt = at;
        this.#tell();
      }
      picture.close();
    } finally {
      this.#drawing = false;
    }
  }
}
