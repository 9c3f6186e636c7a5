/** The microphone as frames of 20 ms: Int16Array, mono, at `sampleRate`. */

const MIN_SAMPLE_RATE = 8000;
const MAX_SAMPLE_RATE = 48000;

// The models hear level and noise as they are: what a browser "improves" is asked for off.
const CONSTRAINTS = {
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};

const PROCESSING = {
  echoCancellation: "echo cancellation",
  noiseSuppression: "noise suppression",
  autoGainControl: "automatic gain",
};

/** Why there is no microphone: `problem` says what was wrong, `remedy` what would be right. */
export class MicrophoneError extends Error {
  constructor(problem, remedy) {
    super(`${problem} ${remedy}`);
    this.problem = problem;
    this.remedy = remedy;
  }
}

/** Return why this page can have no microphone at all, or null where it may ask for one. */
export function microphoneObstacle() {
  if (!window.isSecureContext) {
    return new MicrophoneError(
      `Browsers give the microphone only to secure pages, and ${location.origin} is not one.`,
      "Open this page over https://, or, on the machine that runs the service, at " +
        `http://localhost${portSuffix()}/.`,
    );
  }
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    return new MicrophoneError(
      "This browser offers no microphone to web pages.",
      "Use a current Firefox, Chrome, Edge or Safari, outside a frame or an app's built-in browser.",
    );
  }
  return null;
}

const portSuffix = () => (location.port ? `:${location.port}` : "");

export class Microphone {
  #context;
  #stream;
  #listeners = new Set();
  #captured = 0;

  constructor(context, stream) {
    this.#context = context;
    this.#stream = stream;
  }

  /**
   * Open the microphone; call it from a click, or the browser may keep the audio clock stopped.
   * `onLost` is called when the device goes away. Throws MicrophoneError.
   */
  static async open(onLost) {
    const obstacle = microphoneObstacle();
    if (obstacle) throw obstacle;
    const context = newContext();
    let stream = null;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
      await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
      await context.resume();
      const microphone = new Microphone(context, stream);
      microphone.#connect(onLost);
      return microphone;
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      await context.close();
      throw explain(error);
    }
  }

  #connect(onLost) {
    const frames = new AudioWorkletNode(this.#context, "frames", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    frames.port.onmessage = ({ data }) => this.#deliver(data);
    this.#context.createMediaStreamSource(this.#stream).connect(frames);
    // The node writes no output; some browsers only run what leads to the loudspeaker.
    frames.connect(this.#context.destination);
    this.#stream.getAudioTracks()[0].addEventListener("ended", onLost);
  }

  #deliver(frame) {
    this.#captured += frame.length;
    for (const listener of this.#listeners) listener(frame);
  }

  /** Samples a second. */
  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** Seconds heard since the microphone was opened: the page's clock. */
  get seconds() {
    return this.#captured / this.sampleRate;
  }

  /** What the browser keeps altering although it was asked not to, as words. */
  get processing() {
    const settings = this.#stream.getAudioTracks()[0].getSettings();
    return Object.keys(PROCESSING).filter((name) => settings[name]).map((name) => PROCESSING[name]);
  }

  /** Call `listener(frame)` for each frame; returns what ends that. A frame is shared: read it only. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close() {
    this.#listeners.clear();
    this.#stream.getTracks().forEach((track) => track.stop());
    return this.#context.close();
  }
}

/** An audio clock at the device's own rate, unless the service would refuse that. */
function newContext() {
  const context = new AudioContext({ latencyHint: "interactive" });
  if (context.sampleRate >= MIN_SAMPLE_RATE && context.sampleRate <= MAX_SAMPLE_RATE) return context;
  context.close();
  return new AudioContext({ latencyHint: "interactive", sampleRate: MAX_SAMPLE_RATE });
}

function explain(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new MicrophoneError(
        "The microphone was refused to this page.",
        "Allow it in the browser's site settings (the symbol beside the address), and in the system's " +
          "privacy settings, then start again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new MicrophoneError(
        "No microphone was found.",
        "Plug one in or switch it on, check that the system sees it, then start again.",
      );
    case "NotReadableError":
    case "AbortError":
      return new MicrophoneError(
        "The microphone could not be opened: another program may be using it.",
        "Close that program or choose another microphone, then start again.",
      );
    default:
      return new MicrophoneError(
        `The microphone could not be started (${error.name}: ${error.message}).`,
        "Reload the page and start again.",
      );
  }
}
