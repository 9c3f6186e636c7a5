/** A mono WAV file of signed 16-bit samples, from frames (Int16Array each) at `sampleRate`. */

const HEADER_BYTES = 44;

export function makeWav(frames, sampleRate) {
  const dataBytes = frames.reduce((total, frame) => total + frame.byteLength, 0);
  return new Blob([header(dataBytes, sampleRate), ...frames], { type: "audio/wav" });
}

function header(dataBytes, sampleRate) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format block
  view.setUint16(20, 1, true); // linear PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a sample of all channels
  view.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  return view.buffer;
}
