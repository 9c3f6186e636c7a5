/** The live results on the page. What the server does not know is said so, never guessed. */

import {
  EMOTIONS, NOT_ENOUGH_SPEECH, ageWords, capital, decibels, decisionWords, genderWords, percent, seconds,
} from "./words.js";

const QUIETEST_DB = -60;
const YOUNGEST = 10;
const OLDEST = 90;

const part = (id) => document.getElementById(id);

const create = (name, className, textContent = "") =>
  Object.assign(document.createElement(name), { className, textContent });

export class ResultsView {
  #bars = new Map();

  constructor() {
    part("emotion-bars").append(...EMOTIONS.map((label) => this.#bar(label)));
  }

  #bar(label) {
    const item = document.createElement("li");
    item.dataset.emotion = label;
    const track = create("div", "track");
    const fill = create("div", "fill");
    const number = create("span", "number");
    track.append(fill);
    item.append(create("span", "name", capital(label)), track, number);
    this.#bars.set(label, { item, fill, number });
    return item;
  }

  /** Back to nothing known, and why; `claim` is the claimed speaker's name or "". */
  reset(claim, why) {
    this.signal({ vad: false, gate_open: false, speech: null, snr_db: null, lag_ms: null });
    this.level(QUIETEST_DB);
    this.speaking(false);
    this.emotion(null, why);
    answer("gender", null, why);
    this.age(null, why);
    this.speaker(null, claim, why);
    this.identity(null, why);
  }

  /** The microphone's level as this page hears it, dB of full scale. */
  level(db) {
    const shown = Math.max(QUIETEST_DB, Math.min(0, db));
    meter(part("level"), Math.round(shown), 1 - shown / QUIETEST_DB);
  }

  speaking(on) {
    light("speech", on, on ? "yes" : "no");
  }

  /** What the server measured at the end of the window. */
  signal({ vad, gate_open, level_db, speech, snr_db, lag_ms }) {
    light("vad", vad, vad ? "on" : "off");
    light("gate", gate_open, gate_open ? "open" : "closed");
    part("level-text").textContent = level_db == null ? "–" : decibels(level_db);
    part("speech").textContent = speech == null ? "–" : seconds(speech);
    part("snr").textContent = snr_db == null ? "–" : decibels(snr_db);
    part("lag").textContent = lag_ms == null ? "–" : `${Math.round(lag_ms)} ms`;
  }

  /**
   * Show one `result`. `missing(task)` says why a task has no answer, `claim` is the claimed speaker's
   * name or "".
   */
  result(message, missing, claim) {
    this.signal(message);
    this.emotion(message.emotion, missing("emotion"));
    answer("gender", genderWords(message.gender), missing("gender"));
    this.age(message.age, missing("age"));
    this.speaker(message.speaker, claim, NOT_ENOUGH_SPEECH);
    this.identity(message.identity, NOT_ENOUGH_SPEECH);
  }

  emotion(emotion, why) {
    answer("emotion", emotion && `${capital(emotion.label)}, ${percent(emotion.confidence)}`, why);
    for (const [label, { item, fill, number }] of this.#bars) {
      const score = emotion?.scores[label];
      item.dataset.strongest = String(emotion?.label === label);
      fill.style.transform = `scaleX(${score ?? 0})`;
      number.textContent = score == null ? "–" : percent(score);
    }
  }

  age(age, why) {
    answer("age", ageWords(age), why);
    const scale = part("age-scale");
    scale.hidden = !age || age.years == null;
    if (scale.hidden) return;
    const [interval, mark] = scale.children;
    const low = along(age.low ?? age.years);
    interval.style.left = `${low}%`;
    interval.style.width = `${along(age.high ?? age.years) - low}%`;
    mark.style.left = `${along(age.years)}%`;
  }

  speaker(speaker, claim, why) {
    const decision = speaker?.decision ?? "none";
    answer("decision", speaker && decisionWords(decision, claim), claim ? why : "Nobody is claimed");
    part("decision").dataset.decision = decision;
    const probability = speaker?.probability ?? 0;
    meter(part("probability"), Math.round(probability * 100), probability);
    part("probability").dataset.decision = decision;
    part("speaker-figures").textContent = speaker ? speakerFigures(speaker) : claimWords(claim);
  }

  identity(identity, why) {
    const best = identity?.best;
    const words = best ? `${best.name ?? best.id}, ${percent(best.probability)}` : "None of them";
    answer("identity", identity && words, why);
  }
}

/** Write an answer, or, where there is none, why. */
function answer(id, words, why) {
  const element = part(id);
  element.textContent = words ?? why;
  element.dataset.known = String(Boolean(words));
}

/** `share` from 0 to 1 of the track is filled. Set through CSSOM, which the page's policy allows. */
function meter(element, value, share) {
  element.setAttribute("aria-valuenow", String(value));
  element.firstElementChild.style.transform = `scaleX(${share})`;
}

function light(name, on, words) {
  const item = part(`light-${name}`);
  item.dataset.on = String(on);
  item.querySelector("b").textContent = words;
}

const speakerFigures = ({ probability, score, speech }) =>
  `Probability ${percent(probability)}, score ${score.toFixed(2)}, from ${seconds(speech)} of speech.`;

const claimWords = (claim) =>
  claim ? `The voice is checked against ${claim}.` : "Choose a claimed speaker to check the voice against.";

/** Where an age lies on the scale, per cent. */
function along(years) {
  const shown = Math.max(YOUNGEST, Math.min(OLDEST, years));
  return (100 * (shown - YOUNGEST)) / (OLDEST - YOUNGEST);
}
