// Plays what a camera shows now, as long as there is leave for it: a playlist of fragmented MP4 (RFC 8216), appended as it comes.

import { text } from "./dom.js";

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
const players = new Set();

async function bytes(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw await refusal(answer);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Why the city does not show it, in its own words. */
async function refusal(answer) {
  const said = await answer.json().catch(() => ({}));
  const error = new Error(said.sentence ?? text("jsVideoBroken"));
  error.status = answer.status;
  return error;
}

/** What MIME type the header's `avcC` box says (RFC 6381). */
function codec(header) {
  for (let at = 4; at + 8 < header.length; at++) {
    if (header[at] === 0x61 && header[at + 1] === 0x76 && header[at + 2] === 0x63 && header[at + 3] === 0x43) {
      const hex = (byte) => byte.toString(16).padStart(2, "0").toUpperCase();
      return `video/mp4; codecs="avc1.${hex(header[at + 5])}${hex(header[at + 6])}${hex(header[at + 7])}"`;
    }
  }
  return 'video/mp4; codecs="avc1.42C01E"';
}

function parse(playlist) {
  const header = /#EXT-X-MAP:URI="([^"]+)"/.exec(playlist)?.[1];
  const segments = playlist.split("\n").filter((line) => line && !line.startsWith("#"));
  return { header, segments };
}

const done = (buffer) => new Promise((resolve, reject) => {
  buffer.addEventListener("updateend", resolve, { once: true });
  buffer.addEventListener("error", () => reject(new Error(text("jsVideoBroken"))), { once: true });
});

/** Asks for leave to look, which is recorded; the answer names where the pictures are. */
export async function openView(camera, incident, csrf, clip) {
  const form = new URLSearchParams({ incident, csrf });
  if (clip) form.set("clip", clip);
  const answer = await fetch(`/operations/cameras/${encodeURIComponent(camera)}/view`, { method: "POST", body: form });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

export function closeView(view, csrf) {
  fetch(view.close, { method: "POST", body: new URLSearchParams({ csrf }), keepalive: true }).catch(() => {});
}

/** Plays until the leave ends or the page goes; `say` is told what to show in words, "" for nothing. */
export async function playLive(video, view, say) {
  const base = view.address.slice(0, view.address.lastIndexOf("/") + 1);
  const source = new Source();
  const known = new Set();
  let buffer;
  let quiet = 0;
  video.disableRemotePlayback = true;
  video.src = URL.createObjectURL(source);
  await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  while (video.isConnected) {
    try {
      const { header, segments } = parse(new TextDecoder().decode(await bytes(view.address)));
      let isNew = false;
      for (const name of segments.filter((one) => !known.has(one))) {
        if (!buffer) {
          const first = await bytes(base + header);
          buffer = source.addSourceBuffer(codec(first));
          buffer.mode = "sequence";
          buffer.appendBuffer(first);
          await done(buffer);
        }
        const part = await bytes(base + name);
        buffer.appendBuffer(part);
        await done(buffer);
        known.add(name);
        isNew = true;
      }
      quiet = isNew ? 0 : quiet + 1;
      const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
      // A picture of the past is worse than a jump.
      if (end - video.currentTime > 7) video.currentTime = Math.max(0, end - 3);
      if (end > 60 && !buffer.updating && video.buffered.start(0) < end - 40) {
        buffer.remove(0, end - 30);
        await done(buffer);
      }
      if (video.paused && end) video.play().catch(() => {});
      say(quiet > 5 ? text("jsVideoStill") : end ? "" : text("jsVideoWaiting"));
    } catch (error) {
      say(error.message);
      if ([401, 403, 404].includes(error.status)) break;
      // The camera shows nothing at the moment, or the incident is over: asked again, seldom.
      if (error.status === 409) quiet += 10;
      if (quiet > 30) break;
    }
    await new Promise((resolve) => setTimeout(resolve, quiet > 5 ? 3000 : 1000));
  }
  video.removeAttribute("src");
  video.load();
}

/** Starts all cameras of a part of the page that may be seen. */
export function startCameras(root, csrf) {
  for (const tile of root.querySelectorAll(".cam[data-camera]")) {
    const video = tile.querySelector("video");
    if (!video || players.has(video)) continue;
    players.add(video);
    start(tile, video, csrf);
  }
}

async function start(tile, video, csrf) {
  const line = tile.querySelector(".cam-say");
  const say = (words) => { if (line && line.textContent !== words) line.textContent = words; };
  if (!Source) return say(text("jsVideoCannot"));
  try {
    const view = await openView(tile.dataset.camera, tile.dataset.incident, csrf);
    addEventListener("pagehide", () => closeView(view, csrf), { once: true });
    await playLive(video, view, say);
  } catch (error) {
    say(error.message);
  }
}
