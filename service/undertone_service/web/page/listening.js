/** One go of listening: from the start button to the summary, over as many sessions as drops make it. */

import { Microphone, MicrophoneError } from "./microphone.js";
import { addUtterance, clearRecord, showSummary } from "./record.js";
import { StreamSession } from "./session.js";
import { NOT_ENOUGH_SPEECH, clock, decisionWords, emotionWords } from "./words.js";

const DRAW_MILLISECONDS = 66;
const CALM_DRAW_MILLISECONDS = 1000;

const part = (id) => document.getElementById(id);
const announce = (words) => (part("announcement").textContent = words);

export class Listening {
  #page;
  #microphone = null;
  #session = null;
  #started = null; // the running session's session.started
  #origin = 0; // the page's time at which the running session began
  #decision = "none";

  #handlers = {
    "session.started": (message) => this.#sessionStarted(message),
    "speech.started": ({ time }) => this.#speechStarted(this.#origin + time),
    "speech.ended": ({ time }) => this.#speechEnded(this.#origin + time),
    "speaker.changed": ({ time }) => this.#speakerChanged(this.#origin + time),
    result: (message) => this.#result(message),
    utterance: (message) => this.#utterance(message),
    warning: ({ code, problem, remedy }) => this.#page.notices.show(code, "warning", problem, remedy),
    error: ({ code, problem, remedy }) => this.#page.notices.show(code, "error", problem, remedy),
    "session.ended": (message) => showSummary(message, this.#page.claimName()),
  };

  /**
   * `page` holds `notices`, `view`, `timeline`; `choices()` gives apiKey, verify and identify, `claimName()`
   * the claimed speaker's name or ""; `state(state)`, `model(bundle)` and `keyRefused()` are told what happens.
   */
  constructor(page) {
    this.#page = page;
  }

  /** The open microphone, or null where nobody listens. */
  get microphone() {
    return this.#microphone;
  }

  /** Begin. What hinders it is shown as a notice. */
  async start() {
    const { notices, view, timeline, choices, claimName } = this.#page;
    notices.clearAll();
    try {
      this.#microphone = await Microphone.open(() => this.#microphoneLost());
      clearRecord();
      timeline.reset();
      view.reset(claimName(), NOT_ENOUGH_SPEECH);
      this.#warnOfProcessing();
      this.#session = new StreamSession(
        { sampleRate: this.#microphone.sampleRate, ...choices() },
        {
          // A later server may say more than this page knows: that is passed over.
          message: (message) => this.#handlers[message.type]?.(message),
          state: (state, detail) => this.#state(state, detail),
        },
      );
      this.#microphone.listen((frame) => this.#hear(frame));
      this.#session.start();
      requestAnimationFrame((time) => this.#animate(time, -Infinity));
    } catch (error) {
      this.#cannotStart(error);
    }
  }

  stop() {
    this.#session?.stop();
  }

  /** Pass changed choices on to the running session. */
  configure() {
    this.#decision = "none";
    this.#session?.configure(this.#page.choices());
  }

  #cannotStart(error) {
    const { notices } = this.#page;
    if (error instanceof MicrophoneError) {
      notices.show("microphone", "error", error.problem, error.remedy);
    } else if (error.name === "SyntaxError") {
      const remedy = "It holds a character that no key has, such as a space: copy it again.";
      notices.show("key", "error", "This API key cannot be sent.", remedy);
    } else {
      notices.show("start", "error", "Listening could not be started.", error.message);
    }
    this.#rest();
  }

  #warnOfProcessing() {
    const names = this.#microphone.processing;
    if (!names.length) return;
    const remedy = "Results may be less sure; switch it off in the system's sound settings if you can.";
    this.#page.notices.show("processing", "warning", `The browser keeps ${names.join(" and ")} on.`, remedy);
  }

  #microphoneLost() {
    const remedy = "Plug it in again or choose another, then start.";
    this.#page.notices.show("microphone", "error", "The microphone went away.", remedy);
    this.stop();
  }

  /** Let go of the microphone. */
  #rest() {
    this.#microphone?.close();
    this.#microphone = null;
    this.#session = null;
    this.#page.view.reset(this.#page.claimName(), "Not listening");
    this.#page.state("idle");
  }

  #hear(frame) {
    this.#session.send(frame);
    let power = 0;
    for (const sample of frame) power += (sample / 32768) ** 2;
    this.#page.view.level(10 * Math.log10(power / frame.length + 1e-12));
  }

  #animate(time, drawn) {
    if (!this.#microphone) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const due = time - drawn >= (calm ? CALM_DRAW_MILLISECONDS : DRAW_MILLISECONDS);
    if (due) this.#page.timeline.draw(this.#microphone.seconds);
    requestAnimationFrame((next) => this.#animate(next, due ? time : drawn));
  }

  // --- what the socket does ----------------------------------------------------------------------

  #state(state, detail) {
    const { notices, timeline } = this.#page;
    if (state !== "waiting") notices.clear("connection");
    if (state === "waiting" || state === "ended") this.#speechEnded(this.#microphone.seconds);
    if (state === "waiting") this.#waiting(detail);
    if (state !== "ended") return this.#page.state(state);
    timeline.draw(this.#microphone.seconds);
    this.#rest();
    this.#explainEnd(detail);
  }

  #waiting({ seconds, refusal }) {
    const problem = refusal?.problem ?? "The connection to the server was lost or refused.";
    const wait = Math.ceil(seconds);
    const remedy = `Trying again in ${wait} s; what is said meanwhile is not heard. Stop gives up.`;
    this.#page.notices.clear("connection");
    this.#page.notices.show("connection", "warning", problem, remedy);
  }

  /** A refusal is on the page already; 1000 is an orderly end, 1006 our own leaving. */
  #explainEnd({ code, refusal }) {
    if (refusal?.code === "unauthorised") this.#page.keyRefused();
    if (refusal || code === 1000 || code === 1006) return;
    const problem = `The server ended the session (close code ${code}).`;
    this.#page.notices.show("ended", "error", problem, "Start again.");
  }

  // --- what the server says ----------------------------------------------------------------------

  #sessionStarted(message) {
    this.#started = message;
    this.#origin = this.#microphone.seconds;
    this.#decision = "none";
    this.#page.model(message.bundle);
  }

  #speechStarted(time) {
    this.#page.view.speaking(true);
    this.#page.timeline.speechStarted(time);
  }

  #speechEnded(time) {
    this.#page.view.speaking(false);
    this.#page.timeline.speechEnded(time);
  }

  #speakerChanged(time) {
    const problem = `Another voice seems to speak since ${clock(time)}.`;
    this.#page.notices.show("speaker.changed", "warning", problem);
  }

  #result(message) {
    const { view, timeline, claimName } = this.#page;
    view.result(message, (task) => this.#missing(task), claimName());
    const { emotion, speaker, end } = message;
    timeline.result(this.#origin + end, emotion?.scores ?? null, speaker?.probability ?? null);
    const decision = speaker?.decision ?? "none";
    if (decision !== this.#decision && speaker) announce(decisionWords(decision, claimName()));
    this.#decision = decision;
  }

  #utterance(message) {
    addUtterance(message, this.#origin);
    announce(`Utterance: ${emotionWords(message.emotion) ?? NOT_ENOUGH_SPEECH}`);
  }

  /** Why a task has no answer. */
  #missing(task) {
    const { bundle, policy } = this.#started;
    if (!bundle.tasks.includes(task)) return "This model does not tell";
    if (task === "emotion" && !policy.emotion[0]) return "Switched off by the server's policy";
    return NOT_ENOUGH_SPEECH;
  }
}
