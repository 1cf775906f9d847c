// Plays the fragments of one camera by MSE, close to their newest picture.
//
// Chromium stalls for good at a gap of .1 s, and shows the coded size after a change of size in band: gaps are
// jumped, and every new header begins a new source. A fragment that cannot be decoded (a camera that changes its size
// in mid-stream) begins one, too; only a stream that fails again and again is given up.

const AIM_S = 0.4; // behind the newest picture
const HURRY_S = 0.8; // from here on it plays faster
const JUMP_S = 3.0; // from here on it jumps
const KEEP_S = 12; // of what was played
const WAITING = 240; // fragments in the queue; more means that nothing is taken
const DEAF_MS = 8_000; // fragments came and none could be played
const LOOK_MS = 250;
const FAILURES = 4; // within
const FAILURES_MS = 30_000;

export class Player {
  #video;
  #onBroken;
  /** @type {MediaSource | null} */
  #source = null;
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Uint8Array[]} */
  #queue = [];
  #address = "";
  #base = 0;
  #keyed = false;
  #fedAt = 0;
  #timer = 0;
  /** @type {number[]} when decoding failed */
  #failures = [];
  /** @type {[string, Uint8Array] | null} what the source began with */
  #header = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {(why: string) => void} onBroken this browser cannot play the camera
   */
  constructor(video, onBroken) {
    this.#video = video;
    this.#onBroken = onBroken;
    video.addEventListener("error", this.#fail);
    this.#timer = setInterval(this.#look, LOOK_MS);
  }

  /**
   * Whether this browser plays a type at all.
   * @param {string} mime
   */
  static plays(mime) {
    return typeof MediaSource !== "undefined" && MediaSource.isTypeSupported(mime);
  }

  /**
   * Capture time of the picture that is shown, given its media time.
   * @param {number} mediaTime
   */
  captured(mediaTime) {
    return this.#base ? mediaTime + this.#base : 0;
  }

  /** @param {string} mime @param {Uint8Array} header */
  begin(mime, header) {
    this.#drop();
    this.#header = [mime, header];
    const source = new MediaSource();
    this.#source = source;
    this.#queue = [header];
    this.#keyed = false;
    this.#fedAt = 0;
    this.#address = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      if (this.#source !== source) return;
      try {
        this.#buffer = source.addSourceBuffer(mime);
      } catch (error) {
        this.#onBroken(String(error));
        return;
      }
      this.#buffer.addEventListener("updateend", this.#feed);
      this.#feed();
    }, { once: true });
    this.#video.src = this.#address;
  }

  /** @param {{base: number, key: boolean}} header @param {Uint8Array} fragment */
  add(header, fragment) {
    if (!this.#source) return;
    this.#keyed ||= header.key;
    if (!this.#keyed) return;
    this.#base = header.base;
    this.#fedAt ||= performance.now();
    if (this.#queue.push(fragment) > WAITING) {
      this.#queue.splice(1); // the header stays first if it waits as well
      this.#keyed = false;
      return;
    }
    this.#feed();
  }

  /** After a gap the next fragment must begin with a key picture. */
  gap() {
    this.#keyed = false;
  }

  close() {
    clearInterval(this.#timer);
    this.#video.removeEventListener("error", this.#fail);
    this.#drop();
  }

  #feed = () => {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#source?.readyState !== "open") return;
    const { buffered, currentTime } = this.#video;
    try {
      if (buffered.length && currentTime - buffered.start(0) > 2 * KEEP_S) {
        buffer.remove(0, currentTime - KEEP_S);
        return;
      }
      const next = this.#queue.shift();
      if (next) buffer.appendBuffer(next);
    } catch (error) {
      if (error.name !== "QuotaExceededError") this.#recover(String(error));
    }
  };

  #look = () => {
    const { buffered } = this.#video;
    if (!buffered.length) {
      if (this.#fedAt && !document.hidden && performance.now() - this.#fedAt > DEAF_MS) this.#onBroken("no picture");
      return;
    }
    const end = buffered.end(buffered.length - 1);
    const start = buffered.start(buffered.length - 1);
    const behind = end - this.#video.currentTime;
    if (behind > JUMP_S || behind < 0 || this.#inGap(start)) {
      this.#video.currentTime = Math.max(start, end - AIM_S);
    }
    this.#video.playbackRate = behind > HURRY_S ? 1.1 : 1;
    // Autoplay of a muted video is allowed; a pause comes from a power saver, and ends when the page is seen again.
    if (this.#video.paused) this.#video.play().catch(() => {});
  };

  /**
   * Whether the picture stands before the newest range.
   * @param {number} start
   */
  #inGap(start) {
    const { buffered, currentTime } = this.#video;
    if (currentTime >= start) return false;
    for (let index = 0; index < buffered.length - 1; index += 1) {
      if (currentTime >= buffered.start(index) && currentTime < buffered.end(index) - 0.05) return false;
    }
    return true;
  }

  #fail = () => {
    if (this.#video.error && this.#source) this.#recover(this.#video.error.message);
  };

  /**
   * Begin again at the next key picture, unless that has not helped.
   * @param {string} why
   */
  #recover(why) {
    const now = performance.now();
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURES_MS), now];
    if (this.#failures.length >= FAILURES || !this.#header) this.#onBroken(why);
    else this.begin(...this.#header);
  }

  #drop() {
    this.#source = this.#buffer = null;
    this.#queue = [];
    this.#base = this.#fedAt = 0;
    if (!this.#address) return;
    URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.#video.removeAttribute("src");
    this.#video.load();
  }
}
