// The cameras that a page shows, and the one connection that feeds them.

import { useEffect, useMemo, useState } from "../../vendor/preact.js";
import { follow } from "./stream.js";
import { Player } from "./player.js";
import { View } from "./view.js";

export class Feed {
  /** @type {Map<string, View>} */
  views = new Map();
  /**
   * Cameras that this browser cannot play: their pictures are asked for.
   * @type {Map<string, string>}
   */
  #pictures = new Map();
  #cameras;
  #onState;
  #abort = new AbortController();

  /**
   * @param {{id: string, playable?: {mime?: string}}[]} cameras
   * @param {(connected: boolean, error?: Error) => void} onState
   */
  constructor(cameras, onState) {
    this.#cameras = cameras.map((camera) => camera.id);
    this.#onState = onState;
    for (const { id, playable } of cameras) {
      this.views.set(id, new View((why) => this.#fallBack(id, why)));
      if (playable?.mime && !Player.plays(playable.mime)) this.#pictures.set(id, "browser");
    }
  }

  start() {
    this.#abort = new AbortController();
    const onState = (connected, error) => {
      if (connected) for (const view of this.views.values()) view.begin();
      this.#onState(connected, error);
    };
    void follow(() => this.#query(), (header, payload) => this.#take(header, payload), onState, this.#abort.signal);
  }

  stop() {
    this.#abort.abort();
  }

  #query() {
    const query = { cameras: this.#cameras.join(","), video: "mp4" };
    return this.#pictures.size ? { ...query, jpeg: [...this.#pictures.keys()].join(",") } : query;
  }

  #take(header, payload) {
    if (header.type === "hello") {
      for (const [id, hello] of Object.entries(header.cameras)) {
        this.views.get(id)?.open(hello.why === "asked" ? { ...hello, why: this.#pictures.get(id) } : hello);
      }
      return;
    }
    this.views.get(header.camera ?? header.event?.camera)?.take(header, payload);
  }

  /** Ask for pictures of a camera instead of its video, on a new connection. */
  #fallBack(id, why) {
    if (this.#pictures.has(id)) return;
    console.info(`${id}: pictures instead of video: ${why}`);
    this.#pictures.set(id, "failed");
    this.stop();
    this.start();
  }
}

/**
 * @param {{id: string, playable?: {mime?: string}}[]} cameras
 * @returns {{feed: Feed, connected: boolean | null, error?: Error}} connected: null before the first answer
 */
export function useFeed(cameras) {
  const [state, setState] = useState(/** @type {{connected: boolean | null, error?: Error}} */ ({ connected: null }));
  const key = cameras.map((camera) => camera.id).join(",");
  const feed = useMemo(() => new Feed(cameras, (connected, error) => setState({ connected, error })), [key]);
  useEffect(() => {
    if (!key) return undefined;
    feed.start();
    return () => feed.stop();
  }, [feed]);
  return { feed, ...state };
}
