// The page where a proof is checked. The files are read and judged here; nothing leaves the browser.

import { byId, setText, text } from "./dom.js";
import { header, judgeProof, missing } from "./proof/proof.js";
import { Refusal, decode, encode, hex, sha256 } from "./proof/octets.js";
import { readPolicy } from "./proof/policy.js";

const mostFile = 1 << 20;
/** What was given: name and bytes of each file. */
const given = { proof: null, policy: null, entry: null };
/** Each change makes a new judgement; what an older one finds out late is not shown. */
let turn = 0;

const size = (bytes) => text("proofBytes", { n: bytes.length });

function element(name, content, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

async function take(role, file) {
  if (file.size > mostFile) {
    given[role] = null;
    setText(byId(`${role}-state`), text("proofFileTooLong", { name: file.name }));
    return;
  }
  keep(role, file.name, new Uint8Array(await file.arrayBuffer()));
}

function keep(role, name, bytes, isCitys = false) {
  given[role] = { name, bytes, isCitys };
  setText(byId(`${role}-state`), `${name} · ${size(bytes)}`);
}

/** Files that were dropped without saying what they are: a proof says so in its first line, a policy can be read. */
async function sort(files) {
  for (const file of [...files].slice(0, 8)) {
    const beginning = new Uint8Array(await file.slice(0, mostFile).arrayBuffer());
    const isProof = encode(header).every((byte, place) => beginning[place] === byte);
    const isPolicy = !isProof && (await readPolicy(beginning).then(() => true, () => false));
    await take(isProof ? "proof" : isPolicy || !given.policy ? "policy" : "entry", file);
  }
  await decide();
}

function sentence(error) {
  if (!(error instanceof Refusal)) return text("proofFailed", { why: String(error) });
  const line = error.values.line === undefined ? "" : text("proofLine", { n: error.values.line }) + " ";
  return line + text(`proofRefusal${error.why}`, error.values);
}

const moment = (seconds) =>
  seconds <= 8640000000000n ? new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC" : String(seconds);

function quorumText(policy) {
  const names = new Map(policy.groups.map((group) => [group.name, group]));
  const say = (name, depth) => {
    const group = names.get(name);
    if (!group || depth > 8) return name;
    return text("proofOf", { k: group.threshold, names: group.members.map((member) => say(member, depth + 1)).join(", ") });
  };
  return policy.quorum === null ? text("proofQuorumNone") : say(policy.quorum, 0);
}

/** Members of a statement as rows; anything else as it is. */
function showEntry(bytes) {
  let whole;
  try {
    whole = decode(bytes, "EntryForm");
  } catch {
    whole = hex(bytes);
  }
  setText(byId("entry-text"), whole);
  let rows = [];
  try {
    const statement = JSON.parse(whole.split("\n")[0]);
    if (statement && typeof statement === "object" && !Array.isArray(statement)) rows = Object.entries(statement);
  } catch {
    // What is no statement is shown as text only.
  }
  byId("entry-rows").replaceChildren(...rows.map(([name, value]) => {
    const head = element("th", name);
    head.scope = "row";
    return element("tr", [head, element("td", typeof value === "string" ? value : JSON.stringify(value))]);
  }));
  byId("entry-table").hidden = rows.length === 0;
}

async function prints(shown) {
  const items = [];
  for (const role of ["proof", "policy", "entry"]) {
    if (shown[role]) items.push(element("li", [`${shown[role].name}: `, element("code", hex(await sha256(shown[role].bytes)))]));
  }
  return items;
}

const items = (sentences) => sentences.map((one) => element("li", one));

function showProved(found, policy, isCitys) {
  const isWitnessed = found.witnesses.length > 0;
  // The last of them: one witness whose clock is right is enough for it to be true.
  const latest = found.witnesses.reduce((last, { time }) => (time > last ? time : last), 0n);
  setText(byId("verdict-text"), text(isWitnessed ? "proofMeans" : "proofMeansAlone", {
    index: found.index, origin: found.origin, n: found.witnesses.length, time: moment(latest),
    names: found.witnesses.map(({ name }) => name).join(", "),
  }));
  byId("proved-items").replaceChildren(...items([
    text("proofItemEntry", { index: found.index, size: found.size, origin: found.origin }),
    text("proofItemLog", { origin: found.origin }),
    text(isWitnessed ? "proofItemWitnesses" : "proofItemNoWitnesses", { n: found.witnesses.length }),
    text("proofItemQuorum", { rule: quorumText(policy) }),
  ]));
  byId("witness-rows").replaceChildren(...found.witnesses.map(({ name, key, time }) => {
    const head = element("th", name);
    head.scope = "row";
    return element("tr", [head, element("td", key), element("td", moment(time))]);
  }));
  byId("witness-table").hidden = !isWitnessed;
  const limits = ["proofLimitTrue", "proofLimitWho", "proofLimitAll", isWitnessed ? "proofLimitHonest" : "proofLimitAlone"];
  byId("limit-items").replaceChildren(...items([...(isCitys ? ["proofLimitCity"] : []), ...limits].map((key) => text(key))));
  showEntry(found.entry);
}

async function decide() {
  const mine = ++turn;
  const shown = { ...given };
  const section = byId("result");
  if (!shown.proof || !shown.policy) {
    section.hidden = true;
    return;
  }
  let found = null;
  let policy = null;
  let why = "";
  try {
    policy = await readPolicy(shown.policy.bytes);
    found = await judgeProof(shown.proof.bytes, policy, shown.entry?.bytes ?? null);
  } catch (error) {
    why = sentence(error);
  }
  const hashes = await prints(shown);
  if (mine !== turn) return;
  section.dataset.verdict = found ? "proved" : "refused";
  section.dataset.turn = String(mine);
  section.hidden = false;
  setText(byId("verdict"), text(found ? "proofProved" : "proofRefused"));
  byId("why-not").hidden = Boolean(found);
  byId("details").hidden = !found;
  if (found) showProved(found, policy, shown.policy.isCitys);
  else setText(byId("verdict-text"), why);
  byId("city-warning").hidden = !shown.policy.isCitys;
  byId("file-hashes").replaceChildren(...hashes);
}

function listen() {
  for (const role of ["proof", "policy", "entry"]) {
    byId(`${role}-file`).addEventListener("change", async ({ target }) => {
      if (target.files.length > 0) await take(role, target.files[0]);
      else if (role === "entry") given.entry = null;
      await decide();
    });
  }
  const citys = byId("city-policy");
  citys?.addEventListener("click", async () => {
    keep("policy", text("proofCityPolicy"), encode(citys.dataset.policy), true);
    await decide();
  });
  const drop = byId("drop");
  for (const name of ["dragover", "drop"]) {
    // A file dropped beside the field would take the page's place.
    document.addEventListener(name, (event) => event.preventDefault());
  }
  document.addEventListener("dragenter", () => drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
  document.addEventListener("drop", ({ dataTransfer }) => {
    drop.classList.remove("over");
    if (dataTransfer.files.length > 0) sort(dataTransfer.files);
  });
}

const lack = await missing();
if (lack) {
  setText(byId("cannot"), text(`proof${lack}`));
  byId("cannot").hidden = false;
  byId("files").disabled = true;
} else {
  listen();
}
document.body.dataset.ready = lack ?? "yes";
