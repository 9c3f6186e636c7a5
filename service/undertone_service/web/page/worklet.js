/** Runs on the audio thread: float samples in, frames of 20 ms of signed 16-bit samples out. */

const FRAME_SECONDS = 0.02;

class FrameProcessor extends AudioWorkletProcessor {
  // `sampleRate` is a global of the audio thread: 960 samples a frame at 48 kHz, 882 at 44.1 kHz.
  #size = Math.round(sampleRate * FRAME_SECONDS);
  #frame = new Int16Array(this.#size);
  #filled = 0;

  process([input]) {
    // An input without channels is a microphone that has stopped: there is nothing to send.
    for (const sample of input[0] ?? []) {
      // Typed arrays are little-endian wherever browsers run; NaN becomes 0.
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === this.#size) this.#post();
    }
    return true;
  }

  #post() {
    this.port.postMessage(this.#frame, [this.#frame.buffer]);
    this.#frame = new Int16Array(this.#size);
    this.#filled = 0;
  }
}

registerProcessor("frames", FrameProcessor);
