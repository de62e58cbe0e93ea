// One shape for each state, the same as the marks in the lists: no colour stands alone.

const size = 18;
const ratio = 2;

const shapes = {
  alarm(pen) {
    pen.moveTo(9, 1.5); pen.lineTo(16.5, 9); pen.lineTo(9, 16.5); pen.lineTo(1.5, 9); pen.closePath();
  },
  attention(pen) {
    pen.moveTo(9, 2); pen.lineTo(16.5, 15.5); pen.lineTo(1.5, 15.5); pen.closePath();
  },
  stale(pen) {
    pen.arc(9, 9, 4.6, 0, 2 * Math.PI);
  },
  normal(pen) {
    pen.arc(9, 9, 4.4, 0, 2 * Math.PI);
  },
  unknown(pen) {
    pen.rect(5.2, 5.2, 7.6, 7.6);
  },
};

function draw(state, c) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.beginPath();
  shapes[state](pen);
  pen.lineJoin = "round";
  if (state === "stale") {
    pen.lineWidth = 5.5; pen.strokeStyle = c["map-ground"]; pen.stroke();
    pen.lineWidth = 3; pen.strokeStyle = c.stale; pen.stroke();
  } else {
    pen.lineWidth = 2.5; pen.strokeStyle = c["map-ground"]; pen.stroke();
    pen.fillStyle = c[state]; pen.fill();
  }
  if (state === "alarm" || state === "attention") {
    pen.fillStyle = c["map-ground"];
    pen.fillRect(8.2, state === "alarm" ? 5.2 : 7, 1.6, 4.6);
    pen.fillRect(8.2, state === "alarm" ? 11 : 12.6, 1.6, 1.6);
  }
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

export function addIcons(map, c) {
  for (const state of Object.keys(shapes)) {
    const image = draw(state, c);
    if (map.hasImage(state)) map.updateImage(state, image);
    else map.addImage(state, image, { pixelRatio: ratio });
  }
}
