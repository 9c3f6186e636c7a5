/** The enrolled voices. `apiKey` is "" where the server asks for none; refusals are thrown as Refusal. */

import { call } from "./rest.js";

/** All enrolled speakers of the tenant, ordered by name. */
export async function listSpeakers(apiKey) {
  const speakers = [];
  let after = null;
  do {
    const query = after === null ? "" : `?${new URLSearchParams({ after })}`;
    const page = await call(`/v1/speakers${query}`, apiKey);
    speakers.push(...page.speakers);
    after = page.next ?? null;
  } while (after !== null);
  return speakers.sort((one, other) => one.name.localeCompare(other.name));
}

/** Create a speaker who has consented; returns the speaker as stored. */
export function createSpeaker(name, consentBy, apiKey) {
  return call("/v1/speakers", apiKey, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, consent: { given: true, by: consentBy } }),
  });
}

/** Add a recording (a WAV blob) to a speaker; returns how good it was and what is still missing. */
export function addEnrolment(id, recording, apiKey) {
  return call(`/v1/speakers/${encodeURIComponent(id)}/enrollments`, apiKey, {
    method: "POST",
    headers: { "Content-Type": "audio/wav" },
    body: recording,
  });
}

export function deleteSpeaker(id, apiKey) {
  return call(`/v1/speakers/${encodeURIComponent(id)}`, apiKey, { method: "DELETE" });
}

const STATES = {
  empty: " (no recording yet)",
  incomplete: " (little speech enrolled)",
  needs_reenrolment: " (needs to be enrolled again)",
};
const COMPARABLE = ["ready", "incomplete"];

/** Fill the select with the speakers, keeping the choice where it still exists. */
export function fillClaims(select, speakers) {
  const chosen = select.value;
  const options = speakers.map((speaker) => {
    const option = new Option(speaker.name + (STATES[speaker.state] ?? ""), speaker.id);
    option.disabled = !COMPARABLE.includes(speaker.state);
    option.dataset.name = speaker.name;
    return option;
  });
  select.replaceChildren(new Option("Nobody in particular", ""), ...options);
  select.value = options.some((option) => option.value === chosen && !option.disabled) ? chosen : "";
}
