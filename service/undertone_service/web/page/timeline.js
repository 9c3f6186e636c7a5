/** The last 60 s on a canvas: speech, emotion as stacked colours, probability of the claimed speaker. */

import { EMOTIONS } from "./words.js";

const SPAN_SECONDS = 60;
// A result speaks for the time since the one before it, unless results paused in between.
const LONGEST_HOP_SECONDS = 1.5;
const USUAL_HOP_SECONDS = 0.5;
const TITLE_HEIGHT = 22;
const LANES = [
  { title: "Speech", height: 14 },
  { title: "Emotion", height: 84 },
  { title: "Claimed speaker, probability", height: 58 },
];
const AXIS_HEIGHT = 20;
const HEIGHT = LANES.reduce((sum, lane) => sum + lane.height + TITLE_HEIGHT, AXIS_HEIGHT);

/** All times are the page's: seconds since the microphone was opened. */
export class Timeline {
  #canvas;
  #segments = [];
  #results = [];
  #now = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    canvas.style.height = `${HEIGHT}px`;
    new ResizeObserver(() => this.draw(this.#now)).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(this.#now));
  }

  reset() {
    this.#segments = [];
    this.#results = [];
    this.draw(0);
  }

  speechStarted(time) {
    this.#segments.push({ start: time, end: null });
  }

  speechEnded(time) {
    const last = this.#segments.at(-1);
    if (last) last.end ??= time;
  }

  /** `scores` maps emotions to shares, or is null; `probability` is the claimed speaker's, or null. */
  result(time, scores, probability) {
    const before = this.#results.at(-1)?.end ?? -Infinity;
    const start = time - before < LONGEST_HOP_SECONDS ? before : time - USUAL_HOP_SECONDS;
    this.#results.push({ start, end: time, scores, probability });
  }

  draw(now) {
    this.#now = now;
    const oldest = now - SPAN_SECONDS;
    this.#segments = this.#segments.filter(({ end }) => end === null || end > oldest);
    this.#results = this.#results.filter(({ end }) => end > oldest);
    const pen = this.#pen();
    if (!pen) return;
    let top = 0;
    for (const [index, { title, height }] of LANES.entries()) {
      pen.label(title, 0, top + 16);
      top += TITLE_HEIGHT;
      pen.box("--lane", 0, top, pen.width, height);
      [this.#speech, this.#emotion, this.#probability][index].call(this, pen, top, height);
      top += height;
    }
    axis(pen, top);
  }

  #pen() {
    const width = this.#canvas.clientWidth;
    if (!width) return null;
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * scale), Math.round(HEIGHT * scale)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high) {
      Object.assign(this.#canvas, { width: wide, height: high });
    }
    return new Pen(this.#canvas, width, scale, this.#now);
  }

  #speech(pen, top, height) {
    for (const { start, end } of this.#segments) pen.span("--accent", start, end ?? this.#now, top, height);
  }

  #emotion(pen, top, height) {
    for (const { start, end, scores } of this.#results) {
      if (!scores) continue;
      let bottom = top + height;
      for (const label of EMOTIONS) {
        const tall = (scores[label] ?? 0) * height;
        bottom -= tall;
        pen.span(`--${label}`, start, end, bottom, tall);
      }
    }
  }

  #probability(pen, top, height) {
    pen.box("--line", 0, top + height / 2, pen.width, 1);
    const points = this.#results.map(({ end, probability }) =>
      probability === null ? null : [pen.x(end), top + height * (1 - probability)],
    );
    pen.path("--accent", points);
  }
}

/** Draws in CSS pixels with the colours of the style sheet. */
class Pen {
  #context;
  #colours;
  #now;

  constructor(canvas, width, scale, now) {
    this.width = width;
    this.#now = now;
    this.#colours = getComputedStyle(canvas);
    this.#context = canvas.getContext("2d");
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.#context.clearRect(0, 0, width, HEIGHT);
    this.#context.font = `12px ${this.#colours.fontFamily}`;
  }

  #colour(name) {
    return this.#colours.getPropertyValue(name);
  }

  x(time) {
    return this.width * (1 - (this.#now - time) / SPAN_SECONDS);
  }

  box(colour, x, y, width, height) {
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillRect(x, y, width, height);
  }

  span(colour, start, end, y, height) {
    const left = Math.max(0, this.x(start));
    const right = Math.min(this.width, this.x(end));
    if (right > left) this.box(colour, left, y, right - left + 0.5, height);
  }

  label(text, x, y, align = "left") {
    this.#context.fillStyle = this.#colour("--muted");
    this.#context.textAlign = align;
    this.#context.fillText(text, x, y);
  }

  /** A line through the points; null is a gap. */
  path(colour, points) {
    this.#context.strokeStyle = this.#colour(colour);
    this.#context.lineWidth = 2;
    this.#context.lineJoin = "round";
    this.#context.beginPath();
    let drawing = false;
    for (const point of points) {
      if (point) this.#context[drawing ? "lineTo" : "moveTo"](...point);
      drawing = point !== null;
    }
    this.#context.stroke();
  }
}

function axis(pen, top) {
  for (let ago = SPAN_SECONDS; ago >= 0; ago -= 15) {
    const align = ago === SPAN_SECONDS ? "left" : ago === 0 ? "right" : "center";
    pen.label(ago ? `−${ago} s` : "now", pen.width * (1 - ago / SPAN_SECONDS), top + 15, align);
  }
}
