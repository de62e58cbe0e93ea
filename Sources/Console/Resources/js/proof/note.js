// Signed notes, their keys, and checkpoints (C2SP signed-note, tlog-cosignature, tlog-checkpoint).

import { Refusal, base64, decimal, decode, encode, hex, join, mostBytes, number, sha256 } from "./octets.js";

export const kindLog = 1;
export const kindWitness = 4;
const mostSignatures = 100;

const isName = (name) => name !== "" && !/[\p{White_Space}+\u0000-\u001f]/u.test(name);

/** Reads `name+id+key`. */
export async function readKey(text) {
  const first = text.indexOf("+");
  const second = text.indexOf("+", first + 1);
  const bytes = first < 0 || second < 0 ? null : base64(text.slice(second + 1));
  if (!bytes || bytes.length === 0) throw new Refusal("KeyForm");
  const name = text.slice(0, first);
  const kind = bytes[0];
  if (kind !== kindLog && kind !== kindWitness) throw new Refusal("KeyKind", { name });
  if (!isName(name) || bytes.length !== 33) throw new Refusal("KeyForm");
  const id = hex((await sha256(join(encode(`${name}\n`), bytes))).subarray(0, 4));
  if (text.slice(first + 1, second) !== id) throw new Refusal("KeyId", { name });
  return { name, kind, id, bytes: bytes.subarray(1) };
}

function readSignature(line) {
  const parts = line.startsWith("— ") ? line.slice(2).split(" ") : [];
  const bytes = parts.length === 2 && isName(parts[0]) ? base64(parts[1]) : null;
  if (!bytes || bytes.length <= 4) throw new Refusal("NoteSignature", { line: line.slice(0, 100) });
  return { name: parts[0], id: hex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
}

/** Reads a note; that its signatures are good is not said yet. */
export function readNote(bytes) {
  if (bytes.length > mostBytes) throw new Refusal("TooLong");
  const whole = decode(bytes, "NoteForm");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw new Refusal("NoteForm");
  const end = whole.lastIndexOf("\n\n");
  if (end < 0 || !whole.endsWith("\n") || end + 2 === whole.length) throw new Refusal("NoteForm");
  const lines = whole.slice(end + 2, -1).split("\n");
  if (lines.length > mostSignatures) throw new Refusal("NoteForm");
  return { text: whole.slice(0, end + 1), signatures: lines.map(readSignature) };
}

export function readCheckpoint(text, emptyRoot) {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length < 3 || lines.includes("")) throw new Refusal("CheckpointForm");
  const size = decimal(lines[1]);
  const root = base64(lines[2]);
  if (size === null || !root || root.length !== 32) throw new Refusal("CheckpointForm");
  if (size === 0n && hex(root) !== hex(emptyRoot)) throw new Refusal("CheckpointForm");
  return { origin: lines[0], size, root };
}

async function isSigned(key, signature, message) {
  if (signature.length !== 64) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", key.bytes, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, signature, message);
  } catch (error) {
    // A browser that cannot is seen before anything is judged; what is left is a key that is no point.
    if (error.name === "NotSupportedError") throw error;
    return false;
  }
}

/** The time that a cosignature states, 0 for a log's own signature; `null` where it is not this key's. */
async function judge(key, signature, text) {
  if (key.kind === kindLog) return (await isSigned(key, signature.bytes, encode(text))) ? 0n : null;
  if (signature.bytes.length !== 72) return null;
  const time = number(signature.bytes.subarray(0, 8));
  if (time >= 1n << 63n) return null;
  const message = encode(`cosignature/v1\ntime ${time}\n${text}`);
  return (await isSigned(key, signature.bytes.subarray(8), message)) ? time : null;
}

/**
 * Which of the keys signed the note, and when. One line that names a key and is not its signature makes the whole
 * note worthless.
 */
export async function signers(note, keys) {
  const found = new Map();
  for (const key of keys) {
    for (const signature of note.signatures) {
      if (signature.name !== key.name || signature.id !== key.id) continue;
      const time = await judge(key, signature, note.text);
      if (time === null) throw new Refusal("WrongSignature", { name: key.name });
      if (!found.has(key)) found.set(key, time);
    }
  }
  return found;
}
