// A proof that an entry stands in a log, decided as `madang verify` decides it (C2SP tlog-proof; RFC 9162, section
// 2.1.3.2). Nothing is fetched: what decides is the two files and the browser's own SHA-256 and Ed25519.

import { Refusal, base64, decimal, decode, encode, join, mostBytes, same, sha256 } from "./octets.js";
import { readCheckpoint, readNote, signers } from "./note.js";
import { isQuorum } from "./policy.js";

export const header = "c2sp.org/tlog-proof@v1";
/** One hash for each level of a tree of 2⁶³ leaves. */
const mostHashes = 63;

export function readProof(bytes) {
  if (bytes.length > mostBytes) throw new Refusal("TooLong");
  const whole = decode(bytes, "ProofForm");
  const end = whole.indexOf("\n\n");
  const lines = end < 0 ? [] : whole.slice(0, end).split("\n");
  if (lines.shift() !== header) throw new Refusal("ProofForm");
  let extra = null;
  if (lines[0]?.startsWith("extra ")) {
    extra = base64(lines.shift().slice(6));
    if (!extra) throw new Refusal("ProofForm");
  }
  const line = lines.shift();
  const index = line?.startsWith("index ") ? decimal(line.slice(6)) : null;
  if (index === null || lines.length > mostHashes) throw new Refusal("ProofForm");
  const path = lines.map(base64);
  if (path.some((hash) => hash?.length !== 32)) throw new Refusal("ProofForm");
  return { extra, index, path, note: readNote(encode(whole.slice(end + 2))) };
}

const leafHash = (entry) => sha256(join([0], entry));
const nodeHash = (left, right) => sha256(join([1], left, right));

async function leadsTo(root, size, hash, index, path) {
  if (index >= size) return false;
  let [node, last] = [index, size - 1n];
  for (const sibling of path) {
    if (last === 0n) return false;
    if (node % 2n === 1n || node === last) {
      hash = await nodeHash(sibling, hash);
      while (node % 2n === 0n) [node, last] = [node / 2n, last / 2n];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [node, last] = [node / 2n, last / 2n];
  }
  return last === 0n && same(hash, root);
}

/**
 * Judges a proof.
 *
 * @param bytes the proof file
 * @param policy what `readPolicy` gave
 * @param other the entry where it comes in a file of its own, or null
 * @returns what is proved
 * @throws {Refusal} why it is not
 */
export async function judgeProof(bytes, policy, other) {
  const proof = readProof(bytes);
  const entry = other ?? proof.extra;
  if (!entry) throw new Refusal("NoEntry");
  const checkpoint = readCheckpoint(proof.note.text, await sha256(new Uint8Array()));
  const signed = await signers(proof.note, [...policy.logs, ...policy.witnesses].map(({ key }) => key));
  const log = policy.logs.find(({ key }) => key.name === checkpoint.origin && signed.has(key));
  if (!log) throw new Refusal("UnknownLog", { name: checkpoint.origin });
  const seen = policy.witnesses.filter(({ key }) => signed.has(key));
  if (!isQuorum(policy, seen.map(({ name }) => name))) {
    throw new Refusal(seen.length === 0 ? "NoWitnesses" : "TooFewWitnesses", { names: seen.map(({ name }) => name).join(", ") });
  }
  const isThere = await leadsTo(checkpoint.root, checkpoint.size, await leafHash(entry), proof.index, proof.path);
  if (!isThere) throw new Refusal("EntryIsNotThere", { index: proof.index });
  return {
    entry, index: proof.index, origin: checkpoint.origin, size: checkpoint.size,
    witnesses: seen.map(({ name, key }) => ({ name, key: key.name, time: signed.get(key) })),
  };
}

/** Whether this browser can check signatures: `null`, or the key of the sentence that says why not. */
export async function missing() {
  if (!globalThis.crypto?.subtle) return "NoCrypto";
  // RFC 8032, section 7.1, test 1; and the same signature of another message.
  const key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
  const signature =
    "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
  const signatureBytes = base64(signature);
  try {
    const imported = await crypto.subtle.importKey("raw", base64(key), "Ed25519", false, ["verify"]);
    const good = await crypto.subtle.verify("Ed25519", imported, signatureBytes, new Uint8Array());
    const bad = await crypto.subtle.verify("Ed25519", imported, signatureBytes, new Uint8Array(1));
    return good && !bad ? null : "NoEd25519";
  } catch {
    return "NoEd25519";
  }
}
