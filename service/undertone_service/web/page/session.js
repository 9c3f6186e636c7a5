/** One listening session over the socket; a dropped one is followed by another that names its `previous`. */

// Ends that are nobody's refusal: gone away, cut off, the server's fault, restarting, overloaded.
const RETRIED = new Set([1001, 1006, 1011, 1012, 1013, 4013]);
const BACKOFF_SECONDS = [0.5, 1, 2, 4, 8, 15];
const ENDING_SECONDS = 5;
// A server that takes no audio for this long is a lost one.
const MAX_UNSENT_SECONDS = 10;

export class StreamSession {
  #settings;
  #events;
  #socket = null;
  #live = false;
  #stopping = false;
  #attempt = 0;
  #timer = 0;
  #previous = null;
  #refusal = null;

  /**
   * `settings`: sampleRate, apiKey ("" for none), verify (speaker id or ""), identify (boolean).
   * `events.message(message)` is called for each message of the server, and `events.state(state, detail)`
   * for "connecting", "live", "waiting" (detail: { seconds, refusal }), "ended" (detail: { code, refusal }).
   */
  constructor(settings, events) {
    this.#settings = settings;
    this.#events = events;
  }

  /** Connect. Throws SyntaxError where the key has characters that a header cannot carry. */
  start() {
    const key = this.#settings.apiKey;
    const socket = key ? new WebSocket(this.#url(), ["undertone", key]) : new WebSocket(this.#url());
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#closed(code);
    this.#socket = socket;
    this.#events.state("connecting", {});
  }

  #url() {
    const { sampleRate, verify, identify } = this.#settings;
    const query = new URLSearchParams({ sample_rate: sampleRate, encoding: "s16le", channels: 1 });
    if (verify) query.set("verify", verify);
    if (identify) query.set("identify", "1");
    if (this.#previous) query.set("previous", this.#previous);
    const url = new URL(`/v1/stream?${query}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  #receive(message) {
    if (message.type === "session.started") {
      this.#live = true;
      this.#attempt = 0;
      this.#previous = message.id;
      this.#events.state("live", {});
    }
    if (message.type === "error") this.#refusal = message;
    this.#events.message(message);
  }

  #closed(code) {
    clearTimeout(this.#timer);
    const refusal = this.#refusal;
    this.#live = false;
    this.#refusal = null;
    if (this.#stopping || !RETRIED.has(code)) {
      this.#events.state("ended", { code, refusal });
      return;
    }
    const backoff = BACKOFF_SECONDS[Math.min(this.#attempt++, BACKOFF_SECONDS.length - 1)];
    // Spread, so that a restarted server does not meet all its pages at the same moment.
    const seconds = (refusal?.retry_after ?? backoff) * (1 + Math.random() / 4);
    this.#timer = setTimeout(() => this.start(), seconds * 1000);
    this.#events.state("waiting", { seconds, refusal });
  }

  /** Send one frame of samples; before the session has started, and between two, frames are left out. */
  send(frame) {
    if (!this.#live || this.#stopping) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT_SECONDS * 2 * this.#settings.sampleRate) {
      this.#abandon();
      return;
    }
    this.#socket.send(frame);
  }

  /** Leave a socket whose other end is gone: its own close event may take minutes to come. */
  #abandon() {
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close();
    this.#closed(1006);
  }

  /** Change the claimed speaker ("" for none) and the search while listening. */
  configure({ verify, identify }) {
    Object.assign(this.#settings, { verify, identify });
    if (!this.#live || this.#stopping) return;
    this.#control({ type: "configure", verify: verify ? [verify] : [], identify });
  }

  /** End the session; the server answers with its summary, then state "ended" follows. */
  stop() {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#timer);
    if (this.#live) {
      this.#control({ type: "close" });
      this.#timer = setTimeout(() => this.#abandon(), ENDING_SECONDS * 1000);
    } else {
      this.#abandon();
    }
  }

  #control(message) {
    this.#socket.send(JSON.stringify(message));
  }
}
