/** What has been said: the list of utterances, and the summary of the session. */

import {
  NOT_ENOUGH_SPEECH, ageWords, clock, codeWords, decisionWords, emotionWords, genderWords, percent,
  reasonWords, seconds,
} from "./words.js";

const MAX_UTTERANCES = 50;

const part = (id) => document.getElementById(id);

/** One utterance as words: `"Calm 71 %, Female 99 %, 34 years (27 to 42)"`, or that nothing is known. */
function estimateWords({ emotion, gender, age }) {
  const known = [emotionWords(emotion), genderWords(gender), ageWords(age)].filter(Boolean);
  return known.join(", ") || NOT_ENOUGH_SPEECH;
}

export function clearRecord() {
  part("utterances").replaceChildren();
  part("no-utterances").hidden = false;
  part("summary").hidden = true;
}

/** Put an utterance on top of the list; `origin` is the page's time at which its session began. */
export function addUtterance(utterance, origin) {
  const item = document.createElement("li");
  const when = document.createElement("span");
  when.className = "when";
  when.textContent = `${clock(origin + utterance.start)} to ${clock(origin + utterance.end)}`;
  const speech = document.createElement("span");
  speech.className = "muted";
  speech.textContent = `${seconds(utterance.speech)} of speech`;
  const what = document.createElement("span");
  what.className = "what";
  what.textContent = estimateWords(utterance);
  if (utterance.emotion) item.dataset.emotion = utterance.emotion.label;
  item.append(when, what, speech);
  const list = part("utterances");
  list.prepend(item);
  while (list.children.length > MAX_UTTERANCES) list.lastElementChild.remove();
  part("no-utterances").hidden = true;
}

/** Show `session.ended`; `claim` is the claimed speaker's name or "". */
export function showSummary(ended, claim) {
  const channel = ended.channels[0];
  const rows = [
    ["Ended because", reasonWords(ended.reason)],
    ["Length", `${seconds(ended.duration)}, of which ${seconds(channel?.speech ?? 0)} speech`],
  ];
  if (channel) {
    rows.push(
      ["Emotion", emotionWords(channel.emotion) ?? NOT_ENOUGH_SPEECH],
      ["Start, middle, end", thirdsWords(channel.emotion_thirds)],
      ["Gender", genderWords(channel.gender) ?? NOT_ENOUGH_SPEECH],
      ["Age", ageWords(channel.age) ?? NOT_ENOUGH_SPEECH],
    );
    if (claim) rows.push(["Claimed speaker", speakerWords(channel.speaker, claim)]);
    if (channel.speaker_changes) rows.push(["Changes of voice", String(channel.speaker_changes)]);
  }
  const warnings = Object.entries(ended.warnings).map(([code, count]) => `${codeWords(code)} (${count})`);
  if (warnings.length) rows.push(["Warnings", warnings.join(", ")]);
  part("summary-list").replaceChildren(...rows.map(row));
  part("summary").hidden = false;
}

const thirdsWords = (thirds) =>
  thirds.map((emotion) => emotionWords(emotion) ?? "unknown").join(" → ") || "unknown";

const speakerWords = (speaker, claim) =>
  speaker ? `${decisionWords(speaker.decision, claim)} (${percent(speaker.probability)})` : NOT_ENOUGH_SPEECH;

function row([term, words]) {
  const group = document.createElement("div");
  group.append(
    Object.assign(document.createElement("dt"), { textContent: term }),
    Object.assign(document.createElement("dd"), { textContent: words }),
  );
  return group;
}
