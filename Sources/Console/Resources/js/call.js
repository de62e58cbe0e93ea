// A call for help: the place is asked for when somebody calls, never before, and gets better while he waits.

import { byId, setText, text } from "./dom.js";
import { refreshLive } from "./live.js";

const patience = 6000;

/** Where the phone is; `null` when it does not say so soon, or may not. */
function place(options) {
  if (!navigator.geolocation) return Promise.resolve(null);
  return new Promise((done) => {
    setTimeout(() => done(null), patience);
    navigator.geolocation.getCurrentPosition(({ coords }) => done(coords), () => done(null), {
      enableHighAccuracy: true, timeout: patience, maximumAge: 30000, ...options,
    });
  });
}

function fill(form, coords) {
  if (!coords) return;
  form.elements.latitude.value = coords.latitude;
  form.elements.longitude.value = coords.longitude;
  form.elements.accuracy.value = coords.accuracy;
}

const call = byId("call");
call?.addEventListener("submit", async (event) => {
  if (call.dataset.ready) return;
  event.preventDefault();
  call.dataset.ready = "true";
  const pressed = event.submitter;
  setText(byId("call-wait"), text("jsCallLocating"));
  fill(call, await place());
  call.requestSubmit(pressed);
});

const main = byId("main");
const { ticket } = main.dataset;

async function send(form) {
  const answer = await fetch(`/call/${encodeURIComponent(ticket)}`, {
    method: "POST", body: new URLSearchParams(form), signal: AbortSignal.timeout(20000),
  });
  return answer.ok;
}

/** Sends a place that is a good deal better than the one that is known. */
function watchPlace() {
  let known = Number(main.dataset.uncertainty || Infinity);
  let sent = 0;
  navigator.geolocation?.watchPosition(async ({ coords }) => {
    if (coords.accuracy > known * 0.6 || sent >= 8) return;
    known = coords.accuracy;
    sent += 1;
    await send({ latitude: coords.latitude, longitude: coords.longitude, accuracy: coords.accuracy }).catch(() => {});
  }, () => {}, { enableHighAccuracy: true });
}

/** Made smaller on the phone; that also leaves out what the camera wrote beside the picture. */
async function shrink(file) {
  const image = await createImageBitmap(file);
  for (const [size, quality] of [[1600, 0.8], [1280, 0.7], [800, 0.6]]) {
    const scale = Math.min(1, size / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob && blob.size <= 650000) return blob;
  }
  throw new Error("too large");
}

async function sendPhoto(event) {
  const [file] = event.target.files;
  if (!file) return;
  setText(byId("call-wait"), text("jsCallPhotoSending"));
  let isTaken = false;
  try {
    const body = await shrink(file);
    const answer = await fetch(`/call/${encodeURIComponent(ticket)}/photo`, {
      method: "POST", body, headers: { "Content-Type": "image/jpeg" }, signal: AbortSignal.timeout(60000),
    });
    isTaken = answer.ok;
  } catch {
    isTaken = false;
  }
  setText(byId("call-wait"), text(isTaken ? "jsCallPhotoSent" : "jsCallPhotoFailed"));
  event.target.value = "";
  await refreshLive().catch(() => {});
}

if (ticket) {
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  byId("photo")?.addEventListener("change", sendPhoto);
  if (byId("call-more")) watchPlace();
  setInterval(() => document.hidden || refreshLive().catch(() => {}), 3000);
}
