// Texts of the log's formats are octets. What is read here is read as `madang verify` reads it: one spelling of
// everything, bounds on everything, no second chance.

/** Why something is not believed; `why` is the key of a sentence, `values` what it names. */
export class Refusal extends Error {
  constructor(why, values = {}) {
    super(why);
    this.why = why;
    this.values = values;
  }
}

/** Bytes of a proof or a note at most. */
export const mostBytes = 1 << 20;
/** Sizes and positions lie below 2⁶³. */
const mostNumber = (1n << 63n) - 1n;

export const encode = (text) => new TextEncoder().encode(text);

/** UTF-8 and nothing else; a byte order mark stays what it is. */
export function decode(bytes, why) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal(why);
  }
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

export const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);

export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Base 64 (RFC 4648, section 4) in its one canonical form; `null` for anything else. */
export function base64(text) {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const binary = atob(text);
  if (btoa(binary) !== text) return null;
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

/** A decimal number without leading zeros below 2⁶³; `null` for anything else. */
export function decimal(text) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text)) return null;
  const number = BigInt(text);
  return number <= mostNumber ? number : null;
}

/** The number that bytes spell, the highest first. */
export const number = (bytes) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
