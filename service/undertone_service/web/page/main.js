/** The live page: wires the controls to listening, to the list of voices and to enrolment. */

import { EnrolmentForm } from "./enrolment.js";
import { Listening } from "./listening.js";
import { Microphone, microphoneObstacle } from "./microphone.js";
import { Notices } from "./notices.js";
import { listModels } from "./rest.js";
import { fillClaims, listSpeakers } from "./speakers.js";
import { Timeline } from "./timeline.js";
import { ResultsView } from "./view.js";
import { NOT_ENOUGH_SPEECH } from "./words.js";

const STATES = {
  idle: "Not listening",
  starting: "Starting",
  connecting: "Connecting",
  live: "Listening",
  waiting: "Reconnecting",
};

const part = (id) => document.getElementById(id);
const notices = new Notices(part("notices"));
const view = new ResultsView();
const timeline = new Timeline(part("timeline"));
const listening = new Listening({
  notices,
  view,
  timeline,
  choices,
  claimName,
  state: showState,
  model: showModel,
  keyRefused: askForKey,
});
let apiKey = ""; // kept here only: never in storage, a URL or a cookie

function choices() {
  return { apiKey, verify: part("claim").value, identify: part("identify").checked };
}

function claimName() {
  return part("claim").selectedOptions[0].dataset.name ?? "";
}

function showState(state) {
  const running = state !== "idle";
  part("state").dataset.state = state;
  part("state").textContent = STATES[state];
  part("listen").textContent = running ? "Stop" : "Start listening";
  part("listen").classList.toggle("running", running);
  part("listen").disabled = state === "starting";
}

function toggle() {
  if (listening.microphone) return listening.stop();
  showState("starting");
  return listening.start();
}

function chosen() {
  part("identity-part").hidden = !part("identify").checked;
  view.speaker(null, claimName(), listening.microphone ? NOT_ENOUGH_SPEECH : "Not listening");
  listening.configure();
}

function load() {
  loadModels();
  loadSpeakers();
}

async function loadSpeakers() {
  const before = part("claim").value;
  try {
    fillClaims(part("claim"), await listSpeakers(apiKey));
    notices.clear("speakers");
  } catch (error) {
    const problem = `The enrolled voices could not be listed. ${error.problem}`;
    notices.show("speakers", "warning", problem, error.remedy);
    if (error.status === 401) askForKey();
  }
  if (part("claim").value !== before) chosen();
}

async function loadModels() {
  try {
    const models = await listModels(apiKey);
    showModel(models.find((model) => model.default));
  } catch {
    // What keeps the models back keeps the voices back too, and is said there.
  }
}

/** Which model answers, and what its weights may be used for. */
function showModel({ name, digest, licence, notice }) {
  part("bundle").textContent = `Model ${name} (${digest.slice(0, 12)}).`;
  part("licence").textContent = `Weights: ${licence}. ${notice}`;
}

function askForKey() {
  part("access").closest("details").open = true;
  part("key").focus();
}

/** Lend the microphone that listens already, or open one for as long as it is needed. */
async function withMicrophone(use) {
  if (listening.microphone) return use(listening.microphone);
  const own = await Microphone.open(() => {});
  try {
    return await use(own);
  } finally {
    await own.close();
  }
}

part("listen").addEventListener("click", toggle);
part("claim").addEventListener("change", chosen);
part("identify").addEventListener("change", chosen);
part("access").addEventListener("submit", (event) => {
  event.preventDefault();
  apiKey = part("key").value;
  load();
});
new EnrolmentForm(part("enrol"), { withMicrophone, apiKey: () => apiKey, enrolled: loadSpeakers });

view.reset("", "Not listening");
chosen();
showState("idle");
const obstacle = microphoneObstacle();
if (obstacle) {
  notices.show("microphone", "error", obstacle.problem, obstacle.remedy);
  part("listen").disabled = true;
  part("enrol-record").disabled = true;
}
load();
