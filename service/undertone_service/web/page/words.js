/** The words that the page shares: labels, numbers and reasons as readable text. */

export const EMOTIONS = [
  "neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "boredom",
];

export const NOT_ENOUGH_SPEECH = "Not enough speech";

const REASONS = {
  "closed by the client": "you stopped it",
  "connection lost": "the connection was lost",
  "session limit": "it reached the longest time that the server allows",
  idle: "no audio arrived for too long",
};

/** `"calm"` becomes `"Calm"`. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A code such as `partial_sample` as words: `"Partial sample"`. */
export const codeWords = (code) => capital(code.replaceAll("_", " ").replaceAll(".", " "));

/** A share from 0 to 1 as per cent: `"71 %"`. */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** Seconds to one decimal: `"2.4 s"`. */
export const seconds = (value) => `${value.toFixed(1)} s`;

/** A level to whole decibels, with a true minus sign: `"−16 dB"`. */
export const decibels = (value) => `${Math.round(value)} dB`.replace("-", "−");

/** Seconds since the start as a clock: `75.2` becomes `"1:15"`. */
export function clock(time) {
  const whole = Math.max(0, Math.floor(time));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Why a session ended, as words. */
export const reasonWords = (reason) => REASONS[reason] ?? codeWords(reason).toLowerCase();

/** `"Calm 71 %"`, or null where the emotion is not known. */
export const emotionWords = (emotion) =>
  emotion && `${capital(emotion.label)} ${percent(emotion.confidence)}`;

/** `"Female 99 %"`, or null where the gender is not known. */
export const genderWords = (gender) => gender && `${capital(gender.label)} ${percent(gender.confidence)}`;

/** `"34 years (27 to 42)"`, the band where the model gives no years, or null. */
export function ageWords(age) {
  if (!age) return null;
  if (age.years == null) return capital(age.band);
  const years = `${Math.round(age.years)} years`;
  return age.low == null || age.high == null
    ? years
    : `${years} (${Math.round(age.low)} to ${Math.round(age.high)})`;
}

/** The verification's outcome as words; `name` is the claimed speaker's. */
export function decisionWords(decision, name) {
  if (decision === "accepted") return `Accepted: sounds like ${name}`;
  if (decision === "rejected") return `Rejected: does not sound like ${name}`;
  return "Undecided so far";
}
