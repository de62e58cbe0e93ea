// The treaty between agencies: whom the reader believes (C2SP tlog-policy).

import { Refusal, decimal, decode } from "./octets.js";
import { kindLog, kindWitness, readKey } from "./note.js";

const mostLines = 4096;

class Reading {
  logs = [];
  witnesses = [];
  groups = [];
  /** Name of who decides; `null` where nobody is asked. */
  quorum = undefined;
  /** Names that stand for something, and whether they are a member of a group already. */
  names = new Map();
  keys = new Set();

  async take(words) {
    const [first, ...rest] = words;
    if (first === "log" && (rest.length === 1 || rest.length === 2)) {
      this.logs.push({ key: await this.newKey(rest[0], kindLog) });
    } else if (first === "witness" && (rest.length === 2 || rest.length === 3)) {
      this.define(rest[0]);
      this.witnesses.push({ name: rest[0], key: await this.newKey(rest[1], kindWitness) });
    } else if (first === "group" && rest.length >= 3) {
      this.group(rest);
    } else if (first === "quorum" && rest.length === 1 && this.quorum === undefined) {
      if (rest[0] !== "none" && !this.names.has(rest[0])) throw new Refusal("PolicyName", { name: rest[0] });
      this.quorum = rest[0] === "none" ? null : rest[0];
    } else {
      throw new Refusal("PolicyForm");
    }
  }

  group([name, count, ...members]) {
    const all = BigInt(members.length);
    const threshold = count === "all" ? all : count === "any" ? 1n : decimal(count);
    if (threshold === null || threshold < 1n || threshold > all) throw new Refusal("PolicyForm");
    for (const member of members) {
      if (this.names.get(member) !== false) throw new Refusal("PolicyName", { name: member });
      this.names.set(member, true);
    }
    this.define(name);
    this.groups.push({ name, threshold: Number(threshold), members });
  }

  define(name) {
    if (name === "none" || this.names.has(name)) throw new Refusal("PolicyName", { name });
    this.names.set(name, false);
  }

  async newKey(text, kind) {
    const key = await readKey(text);
    if (key.kind !== kind) throw new Refusal("KeyKind", { name: key.name });
    const identity = `${kind} ${key.bytes}`;
    if (this.keys.has(identity)) throw new Refusal("KeyTwice", { name: key.name });
    this.keys.add(identity);
    return key;
  }
}

export async function readPolicy(bytes) {
  if (bytes.some((byte) => (byte < 0x20 && byte !== 0x09 && byte !== 0x0a) || byte === 0x7f)) {
    throw new Refusal("PolicyForm", { line: 0 });
  }
  const lines = decode(bytes, "PolicyForm").split("\n");
  if (lines.pop() !== "" || lines.length > mostLines) throw new Refusal("PolicyForm", { line: lines.length + 1 });
  const policy = new Reading();
  for (const [place, line] of lines.entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    if (words.length === 0 || words[0].startsWith("#")) continue;
    try {
      await policy.take(words);
    } catch (error) {
      if (error instanceof Refusal) error.values.line = place + 1;
      throw error;
    }
  }
  if (policy.quorum === undefined) throw new Refusal("PolicyQuorum");
  return policy;
}

/** Whether the witnesses with these names are enough. */
export function isQuorum(policy, names) {
  if (policy.quorum === null) return true;
  const seen = new Set(names);
  for (const group of policy.groups) {
    if (group.members.filter((member) => seen.has(member)).length >= group.threshold) seen.add(group.name);
  }
  return seen.has(policy.quorum);
}
