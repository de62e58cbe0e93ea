// The marks of the operator's map, drawn once: each severity has a shape, and a ring where an alarm sounds.

const size = 44;
const names = ["Unknown", "Minor", "Moderate", "Severe", "Extreme"];

function shape(pen, kind) {
  const [x, y, r] = [size / 2, size / 2, 12];
  pen.beginPath();
  if (kind === "Minor") pen.arc(x, y, r - 1, 0, 2 * Math.PI);
  else if (kind === "Unknown") pen.rect(x - 9, y - 9, 18, 18);
  else {
    const corners = kind === "Moderate" ? 3 : kind === "Severe" ? 4 : 10;
    for (let i = 0; i < corners; i++) {
      const reach = kind === "Extreme" ? (i % 2 ? r * 0.55 : r * 1.25) : r * 1.1;
      const angle = (i / corners) * 2 * Math.PI - Math.PI / 2;
      pen.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
    }
    pen.closePath();
  }
}

function drawn(draw) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  draw(pen);
  return pen.getImageData(0, 0, size, size);
}

/** Gives the map its marks, in the colours of the page. */
export function marks(map) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const add = (id, image) => (map.hasImage(id) ? map.updateImage(id, image) : map.addImage(id, image, { pixelRatio: 1.5 }));
  names.forEach((name, index) => {
    for (const alarm of [false, true]) {
      add(`sev-${index}${alarm ? "-alarm" : ""}`, drawn((pen) => {
        if (alarm) {
          pen.lineWidth = 3;
          pen.strokeStyle = colour("alarm");
          pen.fillStyle = colour("alarm-ground");
          pen.beginPath();
          pen.arc(size / 2, size / 2, 19, 0, 2 * Math.PI);
          pen.fill();
          pen.stroke();
        }
        shape(pen, name);
        pen.fillStyle = colour(`sev-${name.toLowerCase()}`);
        pen.fill();
        pen.lineWidth = 2;
        pen.strokeStyle = colour("ground");
        pen.stroke();
      }));
    }
  });
  add("camera", drawn((pen) => {
    pen.fillStyle = colour("accent");
    pen.fillRect(13, 16, 14, 12);
    pen.beginPath();
    for (const [x, y] of [[27, 22], [34, 16], [34, 28]]) pen.lineTo(x, y);
    pen.fill();
  }));
  add("unit", drawn((pen) => {
    pen.beginPath();
    pen.arc(size / 2, size / 2, 8, 0, 2 * Math.PI);
    pen.fillStyle = colour("focus");
    pen.fill();
    pen.lineWidth = 3;
    pen.strokeStyle = colour("ground");
    pen.stroke();
  }));
}
