/** The form that enrols a voice: records a few seconds, makes a WAV, sends it to the server. */

import { addEnrolment, createSpeaker, deleteSpeaker } from "./speakers.js";
import { seconds } from "./words.js";
import { makeWav } from "./wav.js";

const RECORD_SECONDS = 8;

export class EnrolmentForm {
  #form;
  #access;
  // A speaker whose voiceprint still wants speech: the next recording under that name is added to it.
  #unfinished = null;

  /**
   * `access.withMicrophone(use)` lends the microphone, `access.apiKey()` gives the key ("" for none),
   * `access.enrolled()` is called when the list of voices has changed.
   */
  constructor(form, access) {
    this.#form = form;
    this.#access = access;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  #part(id) {
    return this.#form.querySelector(`#enrol-${id}`);
  }

  async #submit() {
    const name = this.#part("name").value.trim();
    if (!name) return this.#say("error", "Write a name first.");
    this.#part("record").disabled = true;
    try {
      const recording = await this.#access.withMicrophone((microphone) => this.#record(microphone));
      this.#say("info", "Computing the voiceprint …");
      await this.#enrol(name, recording);
    } catch (error) {
      this.#say("error", error.problem ?? "The voice could not be enrolled.", error.remedy ?? error.message);
    } finally {
      this.#part("record").disabled = false;
      this.#part("progress").hidden = true;
    }
  }

  #record(microphone) {
    const progress = this.#part("progress");
    progress.value = 0;
    progress.hidden = false;
    this.#say("info", "Recording: please read aloud.");
    const frames = [];
    let samples = 0;
    return new Promise((resolve, reject) => {
      const stopped = { problem: "The microphone stopped.", remedy: "Check it and record again." };
      const silence = microphone.listen((frame) => {
        frames.push(frame);
        samples += frame.length;
        progress.value = samples / microphone.sampleRate;
        if (samples < RECORD_SECONDS * microphone.sampleRate) return;
        end();
        resolve(makeWav(frames, microphone.sampleRate));
      });
      const patience = setTimeout(() => {
        end();
        reject(stopped);
      }, (RECORD_SECONDS + 5) * 1000);
      const end = () => {
        silence();
        clearTimeout(patience);
      };
    });
  }

  async #enrol(name, recording) {
    const apiKey = this.#access.apiKey();
    const again = this.#unfinished?.name === name;
    const speaker = again
      ? this.#unfinished
      : await createSpeaker(name, "the person speaking, by a tick on the live page", apiKey);
    let enrolment;
    try {
      enrolment = await addEnrolment(speaker.id, recording, apiKey);
    } catch (error) {
      // Nobody wants a name without a voice: what this recording created goes with it.
      if (!again) await deleteSpeaker(speaker.id, apiKey).catch(() => {});
      throw error;
    }
    this.#report(speaker, enrolment);
    this.#access.enrolled();
  }

  #report(speaker, enrolment) {
    const heard = `${seconds(enrolment.speech)} of speech heard.`;
    if (enrolment.missing_speech > 0) {
      this.#unfinished = speaker;
      const more = `${heard} ${seconds(enrolment.missing_speech)} more are wanted: record once more.`;
      this.#say("warning", `${speaker.name} is not ready yet.`, more);
      return;
    }
    this.#unfinished = null;
    this.#form.reset();
    this.#say("done", `${speaker.name} is enrolled.`, heard, "Choose the name above as the claimed speaker.");
  }

  #say(kind, ...sentences) {
    const outcome = this.#part("outcome");
    outcome.dataset.kind = kind;
    outcome.textContent = sentences.join(" ");
  }
}
